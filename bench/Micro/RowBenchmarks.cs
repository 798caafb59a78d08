using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>Kernels that work row by row, at the sizes of CodeBERTa with 128 tokens: what a call reads and writes, in GB/s, is its rate.</summary>
[Config(typeof(Rates))]
public class RowBenchmarks
{
    private const int Tokens = 128;
    private const int Hidden = 768;
    private const int Heads = 12;
    private readonly float[] _wide = new float[Tokens * 4 * Hidden];
    private readonly float[] _states = new float[Tokens * Hidden];
    private readonly float[] _output = new float[Tokens * Hidden];
    private readonly byte[] _half = new byte[2 * Tokens * 4 * Hidden];
    private readonly float[] _gain = new float[Hidden];
    private KernelOptions _options = KernelOptions.Default;

    public static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported.Where(level => level != KernelLevel.Reference);

    [ParamsSource(nameof(Levels))]
    public KernelLevel Level { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _options = new KernelOptions { Level = Level };
        foreach (float[] values in new[] { _wide, _states, _gain })
            for (int i = 0; i < values.Length; i++)
                values[i] = random.NextSingle() - 0.5f;
    }

    [Benchmark]
    public void LayerNorm() => Kernels.LayerNorm.Run(_states, _gain, _gain, 1e-5f, _output, _options);

    [Benchmark]
    public void Gelu() => Activations.Run(ActivationFunction.Gelu, _wide, _wide, _options);

    [Benchmark]
    public void GeluTanh() => Activations.Run(ActivationFunction.GeluTanh, _wide, _wide, _options);

    [Benchmark]
    public void Softmax()
    {
        // As many rows as attention has: one for each head and query.
        for (int row = 0; row < Heads * Tokens; row++)
            Kernels.Softmax.Run(_wide.AsSpan(row * Tokens, Tokens), _output.AsSpan(0, Tokens), _options);
    }

    [Benchmark]
    public void Add() => Kernels.Add.Run(_states, _output, _output, _options);

    [Benchmark]
    public void WidenF16() => Conversion.Widen(_half, WeightType.F16, _wide, _options);

    [Benchmark]
    public void WidenBF16() => Conversion.Widen(_half, WeightType.BF16, _wide, _options);

    [Benchmark]
    public void NarrowF16() => Conversion.Narrow(_wide, WeightType.F16, _half, _options);

    [Benchmark]
    public void NarrowBF16() => Conversion.Narrow(_wide, WeightType.BF16, _half, _options);

    [Benchmark]
    public void Attention()
    {
        const int HeadDim = Hidden / Heads;
        var arguments = new AttentionArguments
        {
            Heads = Heads, HeadDim = HeadDim, Queries = Tokens, Keys = Tokens, Scale = 1 / MathF.Sqrt(HeadDim),
            Q = _states, QTokenStride = Hidden, QHeadStride = HeadDim,
            K = _states, KTokenStride = Hidden, KHeadStride = HeadDim,
            V = _states, VTokenStride = Hidden, VHeadStride = HeadDim,
            Output = _output,
        };
        Kernels.Attention.Run(arguments, _options);
    }

    private sealed class Rates : ManualConfig
    {
        public Rates() => AddColumn(new RateColumn("GB/s", Bytes));

        private static double Bytes(BenchmarkCase call)
        {
            const double States = sizeof(float) * Tokens * Hidden, Wide = 4 * States, Scores = 2.0 * sizeof(float) * Heads * Tokens * Tokens;
            return call.Descriptor.WorkloadMethod.Name switch
            {
                nameof(LayerNorm) => 2 * States,
                nameof(Gelu) or nameof(GeluTanh) => 2 * Wide,
                nameof(Softmax) => Scores,
                nameof(Add) => 3 * States,
                nameof(WidenF16) or nameof(WidenBF16) or nameof(NarrowF16) or nameof(NarrowBF16) => 1.5 * Wide,
                _ => 4 * States,
            };
        }
    }
}
