namespace ManagedTransformers.Kernels;

/// <summary>The two steps of a product with many rows of X: packing X, and multiplying it with W.</summary>
internal static unsafe class Gemm
{
    /// <summary>The blocks that rows of X are packed in: W is read once for each.</summary>
    public static EqualBlocks Blocks(int m) => new(m, Tiling.RowBlock);

    /// <summary>Floats that any of these blocks takes when it is packed, at every level.</summary>
    public static long PackedLength(EqualBlocks blocks, int k) => (long)Packing.Padded(blocks.Height, Packing.MaxWidth) * k;

    /// <summary>Rows of X side by side in panels. Returns where they lie.</summary>
    public static Panels Pack<S, V, TTiles>(float* x, int m, int k, float* packed, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        var layout = new Panels(m, S.Width, TTiles.MaxVectors);
        var pack = new PackRowsJob<S, V> { X = x, M = m, K = k, Layout = layout, Packed = packed };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return layout;
    }

    /// <summary>The product with a W of floats or halves, as the packed X of the next product or, where that is null, rows row … row + m − 1 of Y.</summary>
    public static void Run<S, V, TTiles>(WeightType type, float* packed, Panels layout, int row, int m, ProductCall call, float* packedY, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        switch (type)
        {
            case WeightType.F32:  Run<S, V, TTiles, F32Format>(packed, layout, row, m, &call, 1, packedY, threads); break;
            case WeightType.F16:  Run<S, V, TTiles, F16Format>(packed, layout, row, m, &call, 1, packedY, threads); break;
            case WeightType.BF16: Run<S, V, TTiles, BF16Format>(packed, layout, row, m, &call, 1, packedY, threads); break;
        }
    }

    /// <summary>Several products with the same packed X.</summary>
    public static void Run<S, V, TTiles, TFormat>(float* packed, Panels layout, int row, int m, ProductCall* calls, int count, float* packedY, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IRowFormat
    {
        GemmJob<S, V, TTiles, TFormat>* jobs = stackalloc GemmJob<S, V, TTiles, TFormat>[count];
        int n = 0;
        for (int i = 0; i < count; i++) n += calls[i].Output.N;
        for (int i = 0; i < count; i++)
        {
            jobs[i] = new GemmJob<S, V, TTiles, TFormat>
            {
                PackedX = packed, Layout = layout, Row = row, M = m, K = calls[i].K, W = calls[i].W, LargeTasks = Tiling.LargeTasks(calls[i].Output.N, n, isLast: i == count - 1, threads), Threads = threads, Output = calls[i].Output, PackedY = packedY,
            };
        }
        JobGroup<GemmJob<S, V, TTiles, TFormat>>.Run(jobs, count, threads);
    }
}
