using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>One matrix product in float32, Y[m,n] = X[m,k] · W[n,k]ᵀ: the shapes of the encoders' feed-forward blocks.</summary>
internal sealed class GemmWork : Work
{
    private readonly float[] _x;
    private readonly float[] _w;
    private readonly float[] _y;
    private readonly (int M, int N, int K) _shape;

    public GemmWork(int m, int n, int k, KernelOptions kernels) : base($"GEMM m={m} n={n} k={k}", kernels)
    {
        _shape = (m, n, k);
        _x = Numbers(m * k);
        _w = Numbers(n * k);
        _y = new float[m * n];
        Flops = 2.0 * m * n * k;
        Limit = () => InterleavedLimit.Arithmetic(Flops, kernels);
        // Both factors stay in the last cache between runs: arithmetic alone is the limit.
        var siblings = new List<(string, Func<Work>)>();
        if (kernels.MaxThreads > 1)
            siblings.Add(("1 thread", () => new GemmWork(m, n, k, kernels with { MaxThreads = 1 })));
        if (kernels.Level == KernelLevel.Portable && KernelDispatch.IsSupported(KernelLevel.Avx2))
            siblings.Add(("Avx2", () => new GemmWork(m, n, k, kernels with { Level = KernelLevel.Avx2 })));
        Siblings = siblings;
    }

    public override void Run() =>
        MatMul.Run(_x, _shape.M, new WeightMatrix(MemoryMarshal.AsBytes(_w.AsSpan()), WeightType.F32, _shape.N, _shape.K), _y, default, Kernels);

    private static float[] Numbers(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
