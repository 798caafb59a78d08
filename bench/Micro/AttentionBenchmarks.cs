using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>
/// Attention of CodeGen-350M's decode step with 1024 tokens in the cache [heads, keys, head_dim]: one query, each key and value read
/// once, so that what the cache holds, in GB/s, is its rate.
/// </summary>
[Config(typeof(Rates))]
public class AttentionBenchmarks
{
    private const int Heads = 16;
    private const int HeadDim = 64;
    private const int Keys = 1024;
    private readonly float[] _query = new float[Heads * HeadDim];
    private readonly float[] _output = new float[Heads * HeadDim];
    private byte[] _keys = [];
    private byte[] _values = [];
    private KernelOptions _options = KernelOptions.Default;

    public static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported.Where(level => level != KernelLevel.Reference);

    [ParamsSource(nameof(Levels))]
    public KernelLevel Level { get; set; }

    [Params(1, 2)]
    public int Threads { get; set; }

    [Params(WeightType.F32, WeightType.F16, WeightType.BF16)]
    public WeightType Type { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _options = new KernelOptions { Level = Level, MaxThreads = Threads };
        for (int i = 0; i < _query.Length; i++)
            _query[i] = random.NextSingle() - 0.5f;
        (_keys, _values) = (Stored(random), Stored(random));
    }

    [Benchmark]
    public void Decode()
    {
        var arguments = new AttentionArguments
        {
            Heads = Heads, HeadDim = HeadDim, Queries = 1, Keys = Keys, Scale = 1 / MathF.Sqrt(HeadDim), Causal = true,
            Q = _query, QTokenStride = Heads * HeadDim, QHeadStride = HeadDim,
            K = new StoredSpan(_keys, Type), KTokenStride = HeadDim, KHeadStride = Keys * HeadDim,
            V = new StoredSpan(_values, Type), VTokenStride = HeadDim, VHeadStride = Keys * HeadDim,
            Output = _output,
        };
        Attention.Run(arguments, _options);
    }

    private byte[] Stored(Random random)
    {
        float[] values = [.. Enumerable.Range(0, Heads * Keys * HeadDim).Select(_ => random.NextSingle() - 0.5f)];
        byte[] stored = new byte[values.Length * WeightMatrix.ElementSize(Type)];
        Conversion.Narrow(values, Type, stored, _options);
        return stored;
    }

    private sealed class Rates : ManualConfig
    {
        public Rates() =>
            AddColumn(new RateColumn("GB/s", call => 2.0 * Heads * Keys * HeadDim * WeightMatrix.ElementSize((WeightType)call.Parameters[nameof(Type)])));
    }
}
