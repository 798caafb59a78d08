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
