namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for 1 to 4 rows of X: dot products straight from the stored rows of W, each read once, one range of them per task.</summary>
internal unsafe struct GemvJob<S, V, TFormat> : ICountedJob
    where S : struct, ISimd<V>
    where V : struct
    where TFormat : struct, IWeightFormat
{
    /// <summary>X, [M, K].</summary>
    public float* X;

    /// <summary>X times the format's <see cref="IWeightFormat.InputScale"/>, [M, K]; X itself where that is 1.</summary>
    public float* ScaledX;

    /// <summary>Rows of X, 1 to 4.</summary>
    public int M;

    /// <summary>Columns of X and W.</summary>
    public int K;

    /// <summary>W as stored, [N, K].</summary>
    public byte* W;

    /// <summary>Y and the epilogue.</summary>
    public Output Output;

    /// <summary>Rows of W per task.</summary>
    private static int RowsPerTask(int k) => Math.Max(1, (int)(Tiling.GemvTaskBytes / Math.Max(1, TFormat.RowBytes(k))));

    /// <summary>Ranges that cover all rows of W.</summary>
    public readonly int Tasks => (Output.N + RowsPerTask(K) - 1) / RowsPerTask(K);

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

    private readonly void DotOne(byte* w, int count, float* products)
    {
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width);
        int j = 0;
        if (Tiling.FourStreams)
        {
            int rows = count / 4;
            float* sums = stackalloc float[4];
            for (; j < rows; j++, w += rowBytes)
            {
                GemvTile.Streams4<S, V, TFormat>(whole, w, rows * rowBytes, ScaledX, sums);
                for (int r = 0; r < 4; r++) products[(r * rows) + j] = sums[r] + Rest(w + (r * rows * rowBytes), X, whole);
            }
            w += 3 * rows * rowBytes;
            j = 4 * rows;
        }
        for (; j < count; j++, w += rowBytes)
            products[j] = GemvTile.Dot1<S, V, TFormat>(whole, w, ScaledX) + Rest(w, X, whole);
    }

    // Where X has fewer than four rows, its first one again, and the result is dropped.
    private readonly void DotFew(byte* w, int count, float* products, int stride)
    {
        nint rowBytes = TFormat.RowBytes(K), whole = K - (K % S.Width);
        float* sums = stackalloc float[4];
        float* x0 = ScaledX, x1 = x0 + K, x2 = M > 2 ? x0 + (2 * (nint)K) : x0, x3 = M > 3 ? x0 + (3 * (nint)K) : x0;
        for (int j = 0; j < count; j++, w += rowBytes)
        {
            GemvTile.Dot4<S, V, TFormat>(whole, w, x0, x1, x2, x3, sums);
            for (int i = 0; i < M; i++)
                products[(i * stride) + j] = sums[i] + Rest(w, X + (i * (nint)K), whole);
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
