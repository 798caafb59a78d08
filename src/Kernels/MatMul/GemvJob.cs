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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void DotOne(byte* w, int count, float* products)
    {
        nint rowBytes = TFormat.RowBytes(K);
        for (int j = 0; j < count; j += Together)
        {
            byte* w0 = w + (j * rowBytes);
            byte* w1 = w + (Math.Min(j + 1, count - 1) * rowBytes);
            byte* w2 = w + (Math.Min(j + 2, count - 1) * rowBytes);
            byte* w3 = w + (Math.Min(j + 3, count - 1) * rowBytes);
            V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
            nint p = 0;
            for (; p <= K - S.Width; p += S.Width)
            {
                V x = S.Load(X + p);
                s0 = S.MultiplyAdd(TFormat.Widen<S, V>(w0, p), x, s0);
                s1 = S.MultiplyAdd(TFormat.Widen<S, V>(w1, p), x, s1);
                s2 = S.MultiplyAdd(TFormat.Widen<S, V>(w2, p), x, s2);
                s3 = S.MultiplyAdd(TFormat.Widen<S, V>(w3, p), x, s3);
            }
            products[j] = S.Sum(s0) + Rest(w0, X, p);
            if (j + 1 < count) products[j + 1] = S.Sum(s1) + Rest(w1, X, p);
            if (j + 2 < count) products[j + 2] = S.Sum(s2) + Rest(w2, X, p);
            if (j + 3 < count) products[j + 3] = S.Sum(s3) + Rest(w3, X, p);
        }
    }

    // Two rows of W against four of X; where X has fewer, its first one again, and the result is dropped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void DotFew(byte* w, int count, float* products, int stride)
    {
        nint rowBytes = TFormat.RowBytes(K);
        float* x0 = X, x1 = X + K, x2 = M > 2 ? X + (2 * (nint)K) : X, x3 = M > 3 ? X + (3 * (nint)K) : X;
        for (int j = 0; j < count; j += 2)
        {
            byte* w0 = w + (j * rowBytes), w1 = w + (Math.Min(j + 1, count - 1) * rowBytes);
            V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
            V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
            nint p = 0;
            for (; p <= K - S.Width; p += S.Width)
            {
                V a = TFormat.Widen<S, V>(w0, p), b = TFormat.Widen<S, V>(w1, p);
                V x = S.Load(x0 + p);
                s00 = S.MultiplyAdd(a, x, s00);
                s10 = S.MultiplyAdd(b, x, s10);
                x = S.Load(x1 + p);
                s01 = S.MultiplyAdd(a, x, s01);
                s11 = S.MultiplyAdd(b, x, s11);
                x = S.Load(x2 + p);
                s02 = S.MultiplyAdd(a, x, s02);
                s12 = S.MultiplyAdd(b, x, s12);
                x = S.Load(x3 + p);
                s03 = S.MultiplyAdd(a, x, s03);
                s13 = S.MultiplyAdd(b, x, s13);
            }
            Put(products + j, stride, w0, p, s00, s01, s02, s03);
            if (j + 1 < count) Put(products + j + 1, stride, w1, p, s10, s11, s12, s13);
        }
    }

    private readonly void Put(float* products, int stride, byte* w, nint p, V s0, V s1, V s2, V s3)
    {
        products[0] = S.Sum(s0) + Rest(w, X, p);
        products[stride] = S.Sum(s1) + Rest(w, X + K, p);
        if (M > 2) products[2 * stride] = S.Sum(s2) + Rest(w, X + (2 * (nint)K), p);
        if (M > 3) products[3 * stride] = S.Sum(s3) + Rest(w, X + (3 * (nint)K), p);
    }

    // The last, partial vector of a dot product.
    private readonly float Rest(byte* w, float* x, nint p)
    {
        float sum = 0;
        for (; p < K; p++) sum += TFormat.WidenOne(w, p) * x[p];
        return sum;
    }
}
