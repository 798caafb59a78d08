using BenchmarkDotNet.Attributes;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>Kernels that work row by row, at the sizes of CodeBERTa with 128 tokens.</summary>
public class RowBenchmarks
{
    private const int Tokens = 128;
    private const int Hidden = 768;
    private const int Heads = 12;
    private readonly float[] _wide = new float[Tokens * 4 * Hidden];
    private readonly float[] _states = new float[Tokens * Hidden];
    private readonly float[] _output = new float[Tokens * Hidden];
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
    public void Gelu() => Activations.Run(Activation.Gelu, _wide, _wide, _options);

    [Benchmark]
    public void GeluTanh() => Activations.Run(Activation.GeluTanh, _wide, _wide, _options);

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
}
