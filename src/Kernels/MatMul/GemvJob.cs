using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for 1 to 4 rows of X: dot products straight from the stored rows of W, each read once, one range of them per task.</summary>
internal unsafe struct GemvJob<S, V, TFormat> : IJob
    where S : struct, ISimd<V>
    where V : struct
    where TFormat : struct, IWeightFormat
{
    private const int Together = 4;          // rows of W in flight: enough to hide the latency of the adds and to keep loads coming

    /// <summary>X, [M, K].</summary>
    public float* X;

    /// <summary>Rows of X, 1 to 4.</summary>
    public int M;

    /// <summary>Columns of X and W.</summary>
    public int K;

    /// <summary>W as stored, [N, K].</summary>
    public byte* W;

    /// <summary>Y and the epilogue.</summary>
    public Output Output;

    /// <summary>Rows of W per task.</summary>
    public static int RowsPerTask(int k) =>
        Math.Max(1, (int)(Tiling.GemvTaskBytes / Math.Max(1, TFormat.RowBytes(k))) / Together) * Together;

    /// <summary>One range of rows of W.</summary>
    public readonly void Execute(int task)
    {
        int perTask = RowsPerTask(K), first = task * perTask, count = Math.Min(perTask, Output.N - first);
        float* products = Scratch.ForTask((long)M * perTask);
        byte* w = W + (first * TFormat.RowBytes(K));
        if (M == 1) DotOne(w, count, products);
        else DotFew(w, count, products, perTask);
        Output.Store<S, V>(products, perTask, 0, M, first, count);
    }

    // Four rows of W at once; where fewer are left, the last one again in place of the missing.
    private readonly void DotOne(byte* w, int count, float* products)
    {
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width);
        float* sums = stackalloc float[Together];
        for (int j = 0; j < count; j += Together)
        {
            byte* w0 = w + (j * rowBytes);
            byte* w1 = w + (Math.Min(j + 1, count - 1) * rowBytes);
            byte* w2 = w + (Math.Min(j + 2, count - 1) * rowBytes);
            byte* w3 = w + (Math.Min(j + 3, count - 1) * rowBytes);
            GemvTile.Dot4x1<S, V, TFormat>(whole, w0, w1, w2, w3, X, sums);
            for (int r = 0; r < Math.Min(Together, count - j); r++)
                products[j + r] = sums[r] + Rest(w + ((j + r) * rowBytes), X, whole);
        }
    }

    // Two rows of W against four of X; where X has fewer, its first one again, and the result is dropped.
    private readonly void DotFew(byte* w, int count, float* products, int stride)
    {
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width);
        float* sums = stackalloc float[8];
        float* x1 = X + K, x2 = M > 2 ? X + (2 * (nint)K) : X, x3 = M > 3 ? X + (3 * (nint)K) : X;
        for (int j = 0; j < count; j += 2)
        {
            byte* w0 = w + (j * rowBytes), w1 = w + (Math.Min(j + 1, count - 1) * rowBytes);
            GemvTile.Dot2x4<S, V, TFormat>(whole, w0, w1, X, x1, x2, x3, sums);
            for (int r = 0; r < Math.Min(2, count - j); r++)
            {
                for (int i = 0; i < M; i++)
                    products[(i * stride) + j + r] = sums[(4 * r) + i] + Rest(w + ((j + r) * rowBytes), X + (i * (nint)K), whole);
            }
        }
    }

    // The last, partial vector of a dot product.
    private readonly float Rest(byte* w, float* x, nint p)
    {
        float sum = 0;
        for (; p < K; p++) sum += TFormat.WidenOne(w, p) * x[p];
        return sum;
    }
}
