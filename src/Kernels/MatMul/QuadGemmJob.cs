using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for 9 to 16 rows of X at AVX-512, where memory and arithmetic take about as long: one range of rows of W per task, read once.</summary>
internal unsafe struct QuadGemmJob<TFormat> : ICountedJob
    where TFormat : struct, IRowFormat
{
    // Of k at a time: X is read from L2 for every tile, 64 bytes a step.
    private const int MaxDepth = 3072;

    private float* _packedX;
    private int _m, _k, _threads;
    private byte* _w;
    private Output _output;

    /// <summary>Several products with one X.</summary>
    public static void Run(ProductCall* calls, int count, int m, int threads)
    {
        QuadGemmJob<TFormat>* jobs = stackalloc QuadGemmJob<TFormat>[count];
        int k = calls->K;
        float* packed = Scratch.ForCall((long)Packing.Padded(k, QuadTile.Steps) * QuadTile.Columns);
        QuadTile.Pack(calls->X, m, k, packed);
        for (int i = 0; i < count; i++) jobs[i] = new QuadGemmJob<TFormat> { _packedX = packed, _m = m, _k = k, _threads = threads, _w = calls[i].W, _output = calls[i].Output };
        JobGroup<QuadGemmJob<TFormat>>.Run(jobs, count, threads);
    }

    /// <summary>Ranges that cover all rows of W.</summary>
    public readonly int Tasks => (_output.N + Tiling.FewRows - 1) / Tiling.FewRows;

    /// <summary>One range of rows of W: all of k.</summary>
    public readonly void Execute(int task)
    {
        const int tile = QuadTile.Rows, width = QuadTile.Columns;
        int first = task * Tiling.FewRows, rows = Math.Min(Tiling.FewRows, _output.N - first), maxDepth = Tiling.Depth(_k, MaxDepth);
        float* products = Scratch.ForTask((Tiling.FewRows * width) + (width * width) + ((long)tile * maxDepth));
        float* room = products + (Tiling.FewRows * width), decoded = room + (width * width);
        nint rowBytes = TFormat.RowBytes(_k);
        byte* w = _w + (first * rowBytes);
        for (int k0 = 0; k0 < _k; k0 += maxDepth)
        {
            int depth = Math.Min(maxDepth, _k - k0), padded = Packing.Padded(depth, QuadTile.Steps);
            for (int r = 0; r < rows; r += tile)
            {
                byte* start = w + (r * rowBytes);
                bool inPlace = typeof(TFormat) == typeof(F32Format) && r + tile <= rows && padded == depth;
                if (!inPlace) Decode(start, Math.Min(tile, rows - r), k0, depth, padded, decoded);
                // Threads take tasks in turn: what this one reads next is most likely so many tasks ahead.
                byte* next = r + tile < rows ? start + (tile * rowBytes) : w + (_threads * Tiling.FewRows * rowBytes);
                QuadTile.Run(padded, inPlace ? (float*)start + k0 : decoded, inPlace ? _k : padded, _packedX + ((nint)k0 * width), products + (r * width), k0 > 0, next, tile * rowBytes);
            }
        }
        _output.StoreTransposed<Avx512, Vector512<float>>(products, width, first, rows, 0, _m, room);
    }

    // Rows that are missing keep what was there: their products are not stored. What is missing of a row's last quad is 0, as X is.
    private readonly void Decode(byte* start, int rows, int k0, int depth, int padded, float* decoded)
    {
        for (int r = 0; r < rows; r++, decoded += padded)
        {
            TFormat.Decode<Avx512, Vector512<float>>(start + (r * TFormat.RowBytes(_k)), _k, k0, decoded, depth);
            for (int p = depth; p < padded; p++) decoded[p] = 0;
        }
    }
}
