namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows of X with blocks of integers: X becomes bytes, and bytes are multiplied.</summary>
/// <remarks>docs/adr/0006 has why the bytes have seven bits.</remarks>
internal static unsafe class BlockGemm
{
    /// <summary>Several products with the same X.</summary>
    public static void Run<S, V, TTiles>(ProductCall* calls, int count, int m, WeightType type, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
    {
        if (type == WeightType.Int8) Run<S, V, TTiles, Int8Format>(calls, count, m, threads);
        else Run<S, V, TTiles, Int4Format>(calls, count, m, threads);
    }

    /// <summary>Two products in a row: what lies between them is quantized as it is computed.</summary>
    /// <param name="calls">The first one, without a Y, and the second one, without an X.</param>
    /// <param name="m">Rows.</param>
    /// <param name="type">The type of both W.</param>
    /// <param name="threads">Threads.</param>
    public static void FeedForward<S, V, TTiles>(ProductCall* calls, int m, WeightType type, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
    {
        if (type == WeightType.Int8) FeedForward<S, V, TTiles, Int8Format>(calls, m, threads);
        else FeedForward<S, V, TTiles, Int4Format>(calls, m, threads);
    }

    private static void Run<S, V, TTiles, TFormat>(ProductCall* calls, int count, int m, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        int k = calls->K;
        EqualBlocks blocks = Gemm.Blocks(m);
        float* memory = Scratch.ForCall(PackedBytes.Length(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            PackedBytes packed = Pack<S, V, TFormat>(calls->X + ((nint)row * k), rows, k, memory, threads);
            Multiply<S, V, TTiles, TFormat>(packed, row, rows, calls, count, next: default, threads);
        }
    }

    private static void FeedForward<S, V, TTiles, TFormat>(ProductCall* calls, int m, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        int k = calls->K, inner = calls->Output.N;
        EqualBlocks blocks = Gemm.Blocks(m);
        float* memory = Scratch.ForCall(PackedBytes.Length(blocks, k) + PackedBytes.Length(blocks, inner));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            PackedBytes packed = Pack<S, V, TFormat>(calls->X + ((nint)row * k), rows, k, memory, threads);
            var between = new PackedBytes(packed.Layout, inner, memory + PackedBytes.Length(blocks, k));
            Multiply<S, V, TTiles, TFormat>(packed, row, rows, calls, 1, between, threads);
            Multiply<S, V, TTiles, TFormat>(between, row, rows, calls + 1, 1, next: default, threads);
        }
    }

    private static PackedBytes Pack<S, V, TFormat>(float* x, int rows, int k, float* memory, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        var packed = new PackedBytes(new Panels(rows, S.Width, IBlockTiles.MaxVectors), k, memory);
        var pack = new PackBytesJob<S, V, TFormat> { X = x, M = rows, Packed = packed };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return packed;
    }

    private static void Multiply<S, V, TTiles, TFormat>(PackedBytes packed, int row, int rows, ProductCall* calls, int count, PackedBytes next, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        BlockGemmJob<S, V, TTiles, TFormat>* jobs = stackalloc BlockGemmJob<S, V, TTiles, TFormat>[count];
        for (int i = 0; i < count; i++)
            jobs[i] = new BlockGemmJob<S, V, TTiles, TFormat> { X = packed, Row = row, M = rows, W = calls[i].W, Output = calls[i].Output, Next = next };
        JobGroup<BlockGemmJob<S, V, TTiles, TFormat>>.Run(jobs, count, threads);
    }
}
