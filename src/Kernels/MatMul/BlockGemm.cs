namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows of X with blocks of integers: X becomes bytes, and bytes are multiplied.</summary>
/// <remarks>docs/adr/0006 has why the bytes have seven bits.</remarks>
internal static unsafe class BlockGemm
{
    /// <summary>Several products with the same X.</summary>
    public static void Run<S, V, TTiles>(float* x, int m, int k, WeightType type, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
    {
        int threads = MatMul.Threads(m, k, outputs, count, maxThreads);
        EqualBlocks blocks = Gemm.Blocks(m);
        float* memory = Scratch.ForCall(PackedBytes.Length(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            var packed = new PackedBytes(new Panels(rows, S.Width, IBlockTiles.MaxVectors), k, memory);
            if (type == WeightType.Int8) Run<S, V, TTiles, Int8Format>(x + ((nint)row * k), packed, row, rows, weights, outputs, count, threads);
            else Run<S, V, TTiles, Int4Format>(x + ((nint)row * k), packed, row, rows, weights, outputs, count, threads);
        }
    }

    private static void Run<S, V, TTiles, TFormat>(float* x, PackedBytes packed, int row, int rows, byte** weights, Output* outputs, int count, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        var pack = new PackBytesJob<S, V, TFormat> { X = x, M = rows, Packed = packed };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        BlockGemmJob<S, V, TTiles, TFormat>* jobs = stackalloc BlockGemmJob<S, V, TTiles, TFormat>[count];
        for (int i = 0; i < count; i++)
            jobs[i] = new BlockGemmJob<S, V, TTiles, TFormat> { X = packed, Row = row, M = rows, W = weights[i], Output = outputs[i] };
        JobGroup<BlockGemmJob<S, V, TTiles, TFormat>>.Run(jobs, count, threads);
    }
}
