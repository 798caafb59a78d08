using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Y = X · Wᵀ for 9 to 16 rows of X at AVX-512, where memory and arithmetic take about as long: one range of rows of W per task, read once.</summary>
internal unsafe struct QuadGemmJob<TFormat> : ICountedJob
    where TFormat : struct, IRowFormat
{
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
        int first = task * Tiling.FewRows, rows = Math.Min(Tiling.FewRows, _output.N - first), padded = Packing.Padded(_k, QuadTile.Steps);
        float* products = Scratch.ForTask((Tiling.FewRows * width) + (width * width) + ((long)tile * padded));
        float* room = products + (Tiling.FewRows * width), decoded = room + (width * width);
        nint rowBytes = TFormat.RowBytes(_k);
        byte* w = _w + (first * rowBytes);
        for (int r = 0; r < rows; r += tile)
        {
            byte* start = w + (r * rowBytes);
            bool inPlace = typeof(TFormat) == typeof(F32Format) && r + tile <= rows && padded == _k;
            if (!inPlace) Decode(start, Math.Min(tile, rows - r), padded, decoded);
            // Threads take tasks in turn: what this one reads next is most likely so many tasks ahead.
            byte* next = r + tile < rows ? start + (tile * rowBytes) : w + (_threads * Tiling.FewRows * rowBytes);
            QuadTile.Run(padded, inPlace ? (float*)start : decoded, _packedX, products + (r * width), next, tile * rowBytes);
        }
        _output.StoreTransposed<Avx512, Vector512<float>>(products, width, first, rows, 0, _m, room);
    }

    // Rows that are missing keep what was there: their products are not stored. What is missing of a row's last quad is 0, as X is.
    private readonly void Decode(byte* start, int rows, int padded, float* decoded)
    {
        for (int r = 0; r < rows; r++, decoded += padded)
        {
            TFormat.Decode<Avx512, Vector512<float>>(start + (r * TFormat.RowBytes(_k)), _k, 0, decoded, _k);
            for (int p = _k; p < padded; p++) decoded[p] = 0;
        }
    }
}
