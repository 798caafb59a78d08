using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>
/// Y = X · Wᵀ at the sizes of CodeBERTa's feed-forward block (m 128) and of CodeGen-350M's decode step (m 1): 2·m·n·k
/// FLOP and n·k weights per call.
/// </summary>
[Config(typeof(Rates))]
public class MatMulBenchmarks
{
    private float[] _x = [];
    private float[] _y = [];
    private byte[] _w = [];
    private KernelOptions _options = KernelOptions.Default;

    public static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported.Where(level => level != KernelLevel.Reference);

    [ParamsSource(nameof(Levels))]
    public KernelLevel Level { get; set; }

    [Params(1, 2)]
    public int Threads { get; set; }

    [Params(WeightType.F32, WeightType.F16, WeightType.BF16)]
    public WeightType Type { get; set; }

    [Params(1, 128)]
    public int M { get; set; }

    private static int N => 3072;

    private static int K => 768;

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _options = new KernelOptions { Level = Level, MaxThreads = Threads };
        _x = [.. Enumerable.Range(0, M * K).Select(_ => random.NextSingle() - 0.5f)];
        _y = new float[M * N];
        float[] w = [.. Enumerable.Range(0, N * K).Select(_ => random.NextSingle() - 0.5f)];
        _w = new byte[w.Length * (Type == WeightType.F32 ? 4 : 2)];
        if (Type == WeightType.F32)
            MemoryMarshal.AsBytes(w.AsSpan()).CopyTo(_w);
        else
            Conversion.Narrow(w, Type, _w, _options);
    }

    [Benchmark]
    public void MatMul() => Kernels.MatMul.Run(_x, M, new WeightMatrix(_w, Type, N, K), _y, default, _options);

    private sealed class Rates : ManualConfig
    {
        public Rates()
        {
            AddColumn(new RateColumn("GFLOP/s", call => 2.0 * (int)call.Parameters[nameof(M)] * N * K));
            AddColumn(new RateColumn("GB/s", call => (double)WeightMatrix.ElementSize((WeightType)call.Parameters[nameof(Type)]) * N * K));
        }
    }
}
