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
        if (type == WeightType.Int8) Run<S, V, TTiles, Int8Format>(x, m, k, weights, outputs, count, maxThreads);
        else Run<S, V, TTiles, Int4Format>(x, m, k, weights, outputs, count, maxThreads);
    }

    /// <summary>Two products in a row: what lies between them is quantized as it is computed.</summary>
    /// <param name="x">[m, k].</param>
    /// <param name="m">Rows.</param>
    /// <param name="k">Columns of X and of the first W.</param>
    /// <param name="type">The type of both W.</param>
    /// <param name="weights">W1 and W2.</param>
    /// <param name="outputs">Their outputs; the first one has no Y.</param>
    /// <param name="maxThreads">Threads.</param>
    public static void FeedForward<S, V, TTiles>(float* x, int m, int k, WeightType type, byte** weights, Output* outputs, int maxThreads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
    {
        if (type == WeightType.Int8) FeedForward<S, V, TTiles, Int8Format>(x, m, k, weights, outputs, maxThreads);
        else FeedForward<S, V, TTiles, Int4Format>(x, m, k, weights, outputs, maxThreads);
    }

    private static void Run<S, V, TTiles, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        int threads = MatMul.Threads(m, k, outputs, count, maxThreads);
        EqualBlocks blocks = Gemm.Blocks(m);
        float* memory = Scratch.ForCall(PackedBytes.Length(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            PackedBytes packed = Pack<S, V, TFormat>(x + ((nint)row * k), rows, k, memory, threads);
            Multiply<S, V, TTiles, TFormat>(packed, row, rows, weights, outputs, count, next: default, threads);
        }
    }

    private static void FeedForward<S, V, TTiles, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int maxThreads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        int threads = MatMul.Threads(m, k, outputs, 1, maxThreads), inner = outputs[0].N;
        EqualBlocks blocks = Gemm.Blocks(m);
        float* memory = Scratch.ForCall(PackedBytes.Length(blocks, k) + PackedBytes.Length(blocks, inner));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            PackedBytes packed = Pack<S, V, TFormat>(x + ((nint)row * k), rows, k, memory, threads);
            var between = new PackedBytes(packed.Layout, inner, memory + PackedBytes.Length(blocks, k));
            Multiply<S, V, TTiles, TFormat>(packed, row, rows, weights, outputs, 1, between, threads);
            Multiply<S, V, TTiles, TFormat>(between, row, rows, weights + 1, outputs + 1, 1, next: default, threads);
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

    private static void Multiply<S, V, TTiles, TFormat>(PackedBytes packed, int row, int rows, byte** weights, Output* outputs, int count, PackedBytes next, int threads)
        where S : struct, IByteSimd<V>
        where V : struct
        where TTiles : struct, IBlockTiles
        where TFormat : struct, IBlockFormat
    {
        BlockGemmJob<S, V, TTiles, TFormat>* jobs = stackalloc BlockGemmJob<S, V, TTiles, TFormat>[count];
        for (int i = 0; i < count; i++)
            jobs[i] = new BlockGemmJob<S, V, TTiles, TFormat> { X = packed, Row = row, M = rows, W = weights[i], Output = outputs[i], Next = next };
        JobGroup<BlockGemmJob<S, V, TTiles, TFormat>>.Run(jobs, count, threads);
    }
}
