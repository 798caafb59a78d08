using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>
/// Y = X · Wᵀ for 9 to 16 rows of X at AVX-512, where memory and arithmetic take about equally long: one range of rows of W per task, read once.
/// </summary>
internal unsafe struct QuadGemmJob<TFormat> : ICountedJob where TFormat : struct, IRowFormat
{
    public float* PackedX;  // X as QuadTile.Pack leaves it
    public int M, K;
    public int Threads;     // that take tasks one after another
    public byte* W;         // as stored, [N, K]
    public Output Output;   // Y and the epilogue

    public readonly int Tasks => (Output.N + Tiling.FewRows - 1) / Tiling.FewRows;

    public readonly void Execute(int task)
    {
        const int tile = QuadTile.Rows, width = QuadTile.Columns;
        int first = task * Tiling.FewRows, rows = Math.Min(Tiling.FewRows, Output.N - first), padded = Packing.Padded(K, QuadTile.Steps);
        float* products = Scratch.ForTask((Tiling.FewRows * width) + (width * width) + ((long)tile * padded));
        float* room = products + (Tiling.FewRows * width), decoded = room + (width * width);
        nint rowBytes = TFormat.RowBytes(K);
        byte* w = W + (first * rowBytes);
        for (int r = 0; r < rows; r += tile)
        {
            byte* start = w + (r * rowBytes);
            bool inPlace = typeof(TFormat) == typeof(F32Format) && r + tile <= rows && padded == K;
            if (!inPlace) Decode(start, Math.Min(tile, rows - r), padded, decoded);
            // Threads take tasks one after another: what this one reads next is most likely Threads tasks later.
            byte* next = r + tile < rows ? start + (tile * rowBytes) : w + (Threads * Tiling.FewRows * rowBytes);
            QuadTile.Run(padded, inPlace ? (float*)start : decoded, PackedX, products + (r * width), next, tile * rowBytes);
        }
        Output.StoreTransposed<Avx512, Vector512<float>>(products, width, first, rows, 0, M, room);
    }

    // Rows that are missing keep what was there: their products are not stored. What is missing of a row's last quad is 0, as X is.
    private readonly void Decode(byte* start, int rows, int padded, float* decoded)
    {
        for (int r = 0; r < rows; r++, decoded += padded)
        {
            TFormat.Decode<Avx512, Vector512<float>>(start + (r * TFormat.RowBytes(K)), K, 0, decoded, K);
            for (int p = K; p < padded; p++) decoded[p] = 0;
        }
    }
}

/// <summary>Products of 9 to 16 rows at AVX-512, several with one X.</summary>
internal sealed unsafe class TiledInQuads<TFormat> : ProductKernel where TFormat : struct, IRowFormat
{
    public override void Run(ProductCall* calls, int count, int m, int threads)
    {
        QuadGemmJob<TFormat>* jobs = stackalloc QuadGemmJob<TFormat>[count];
        int k = calls->K;
        float* packed = Scratch.ForCall((long)Packing.Padded(k, QuadTile.Steps) * QuadTile.Columns);
        QuadTile.Pack(calls->X, m, k, packed);
        for (int i = 0; i < count; i++)
            jobs[i] = new QuadGemmJob<TFormat> { PackedX = packed, M = m, K = k, Threads = threads, W = calls[i].W, Output = calls[i].Output };
        var group = new JobGroup<QuadGemmJob<TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}

/// <summary>6 rows of W × 16 rows of X, four steps of k (a quad) at a time: 24 sums in the 32 registers of AVX-512.</summary>
/// <remarks>
/// A tile with one vector of 16 rows of X needs a load for each multiply-add, the broadcast of a weight. Here a load repeats four weights of a
/// row in the quarters of a vector, and four vectors hold the same four steps of four rows of X each: 10 loads for 24 multiply-adds.
/// Each lane sums one of four steps; <see cref="Avx512.SumQuads"/> adds them at the end.
/// </remarks>
internal static unsafe class QuadTile
{
    /// <summary>Rows of W, rows of X, and contiguous steps of k.</summary>
    public const int Rows = 6, Columns = 16, Steps = 4;

    /// <summary>
    /// products[r, i] = w_r · x_i for 6 rows of k floats of W and X as <see cref="Pack"/> leaves it, k a multiple of four. The next tile's nextBytes of W are
    /// prefetched.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run(nint k, float* w, float* x, float* products, byte* next, nint nextBytes)
    {
        Vector512<float> c00 = Vector512<float>.Zero, c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        Vector512<float> c20 = c00, c21 = c00, c22 = c00, c23 = c00, c30 = c00, c31 = c00, c32 = c00, c33 = c00;
        Vector512<float> c40 = c00, c41 = c00, c42 = c00, c43 = c00, c50 = c00, c51 = c00, c52 = c00, c53 = c00;
        float* w1 = w + k, w2 = w1 + k;
        nint lower = 3 * k, half = nextBytes / 2, step = half / (k / Steps);      // prefetched as two streams, 48 bytes of float32 each a quad
        for (nint p = 0; p < k; p += Steps, lower += Steps, x += Steps * Columns)
        {
            Avx512.PrefetchL2(next);
            Avx512.PrefetchL2(next + half);
            next += step;
            Vector512<float> x0 = Avx512.Load(x), x1 = Avx512.Load(x + 16), x2 = Avx512.Load(x + 32), x3 = Avx512.Load(x + 48);
            Row(w + p, x0, x1, x2, x3, ref c00, ref c01, ref c02, ref c03);
            Row(w1 + p, x0, x1, x2, x3, ref c10, ref c11, ref c12, ref c13);
            Row(w2 + p, x0, x1, x2, x3, ref c20, ref c21, ref c22, ref c23);
            Row(w + lower, x0, x1, x2, x3, ref c30, ref c31, ref c32, ref c33);
            Row(w1 + lower, x0, x1, x2, x3, ref c40, ref c41, ref c42, ref c43);
            Row(w2 + lower, x0, x1, x2, x3, ref c50, ref c51, ref c52, ref c53);
        }
        Avx512.Store(products, Avx512.SumQuads(c00, c01, c02, c03));
        Avx512.Store(products + 16, Avx512.SumQuads(c10, c11, c12, c13));
        Avx512.Store(products + 32, Avx512.SumQuads(c20, c21, c22, c23));
        Avx512.Store(products + 48, Avx512.SumQuads(c30, c31, c32, c33));
        Avx512.Store(products + 64, Avx512.SumQuads(c40, c41, c42, c43));
        Avx512.Store(products + 80, Avx512.SumQuads(c50, c51, c52, c53));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(float* w, Vector512<float> x0, Vector512<float> x1, Vector512<float> x2, Vector512<float> x3, ref Vector512<float> c0,
        ref Vector512<float> c1, ref Vector512<float> c2, ref Vector512<float> c3)
    {
        Vector512<float> quad = Avx512.Repeat(w);
        c0 = Avx512.MultiplyAdd(quad, x0, c0);
        c1 = Avx512.MultiplyAdd(quad, x1, c1);
        c2 = Avx512.MultiplyAdd(quad, x2, c2);
        c3 = Avx512.MultiplyAdd(quad, x3, c3);
    }

    /// <summary>
    /// X [m, k] quad by quad of k as four vectors: vector v has that quad of rows v, v + 4, v + 8 and v + 12 in its quarters. The last row stands for those
    /// that are missing; what is missing of the last quad is 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Pack(float* x, int m, int k, float* packed)
    {
        int whole = k / Steps * Steps;
        float* rest = stackalloc float[Columns * Steps];
        for (int row = 0; whole < k && row < Columns; row++)
        {
            for (int p = 0; p < Steps; p++) rest[(row * Steps) + p] = whole + p < k ? x[((nint)Math.Min(row, m - 1) * k) + whole + p] : 0;
        }
        for (int v = 0; v < Steps; v++, packed += Columns)
        {
            float* to = packed;
            float* r0 = x + ((nint)Math.Min(v, m - 1) * k), r1 = x + ((nint)Math.Min(v + 4, m - 1) * k), r2 = x + ((nint)Math.Min(v + 8, m - 1) * k),
                r3 = x + ((nint)Math.Min(v + 12, m - 1) * k);
            for (int p = 0; p < whole; p += Steps, to += Steps * Columns) Avx512.Store(to, Avx512.LoadQuarters(r0 + p, r1 + p, r2 + p, r3 + p));
            if (whole == k) continue;
            Avx512.Store(to, Avx512.LoadQuarters(rest + (Steps * v), rest + (Steps * (v + 4)), rest + (Steps * (v + 8)), rest + (Steps * (v + 12))));
        }
    }
}
