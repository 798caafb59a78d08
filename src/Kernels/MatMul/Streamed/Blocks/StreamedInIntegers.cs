using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Products of few rows with a W of blocks of integers: X becomes integers, once.</summary>
internal sealed unsafe class StreamedInIntegers<S, V, TFormat, TDots> : ProductKernel
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
    where TDots : struct, IBlockDots<V>
{
    public override void Run(ProductCall* calls, int count, int m, int threads)
    {
        BlockGemvJob<S, V, TFormat, TDots>* jobs = stackalloc BlockGemvJob<S, V, TFormat, TDots>[count];
        long length = 0;
        for (int i = 0; i < count; i++) length += BlockInput.Length<S, V, TDots>(m, calls[i].K);
        float* memory = Scratch.ForCall(length);
        for (int i = 0, same; i < count; i += same)
        {
            var input = BlockInput.Quantize<S, V, TFormat, TDots>(calls[i].X, m, calls[i].K, memory);
            memory += BlockInput.Length<S, V, TDots>(m, calls[i].K);
            same = ProductCall.WithSameX(calls + i, count - i);
            for (int j = i; j < i + same; j++)
                jobs[j] = new BlockGemvJob<S, V, TFormat, TDots> { Input = input, W = calls[j].W, Threads = threads, Output = calls[j].Output };
        }
        var group = new JobGroup<BlockGemvJob<S, V, TFormat, TDots>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}

/// <summary>Y = X · Wᵀ for few rows of X and a W of blocks of integers, each read from memory once, one range of rows of W per task.</summary>
/// <remarks>A row of Y has the same bits whatever other rows are computed with it.</remarks>
internal unsafe struct BlockGemvJob<S, V, TFormat, TDots> : ICountedJob
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
    where TDots : struct, IBlockDots<V>
{
    private const int Group = BlockInput.Group;

    public BlockInput Input;
    public byte* W;           // W as stored, [N, K]
    public int Threads;       // that take tasks one after another
    public Output Output;     // Y and the epilogue

    // Tasks of equal size, and an even number of them: W is small, and two threads should finish together.
    private static int RowsPerTask(int n, int k)
    {
        const int Even = 4;
        int tasks = Packing.Padded((int)(((TFormat.RowBytes(k) * n) + Tiling.GemvTaskBytes - 1) / Tiling.GemvTaskBytes), Even);
        return Packing.Padded((n + tasks - 1) / tasks, Group);
    }

    public readonly int Tasks => (Output.N + RowsPerTask(Output.N, Input.K) - 1) / RowsPerTask(Output.N, Input.K);

    public readonly void Execute(int task)
    {
        int perTask = RowsPerTask(Output.N, Input.K), first = task * perTask, count = Math.Min(perTask, Output.N - first);
        float* products = Scratch.ForTask(((long)Input.M * perTask) + (Group * Input.Stride)), scales = products + ((long)Input.M * perTask);
        nint rowBytes = TFormat.RowBytes(Input.K);
        byte* w = W + (first * rowBytes);
        if (Input.M == 1)
        {
            // Four rows of W that lie apart, so that a thread reads four streams; what remains one by one, four times the same. At its end a stream
            // prefetches where it goes on in the task that this thread will most likely take next, which is Threads tasks later.
            int apart = count / Group;
            Four(w, rowBytes, apart, apart, ((Threads * perTask) - apart) * rowBytes, products, scales);
            Four(w + (Group * apart * rowBytes), rowBytes, count - (Group * apart), 0, 0, products + (Group * apart), scales);
        }
        else
        {
            DotFew(w, rowBytes, count, products, perTask, scales);
        }
        Output.Store<S, V>(products, perTask, 0, Input.M, first, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly void Four(byte* w, nint rowBytes, int count, nint apart, nint next, float* products, float* scales)
    {
        nint blocks = Input.K / Blocks.Size, integers = (nint)(Blocks.ScalesOf<TFormat>(w, Input.K) - w), row = Input.Stride,
            ahead = Tiling.BlockPrefetchBytes(rowBytes, blocks);
        short* rest = stackalloc short[Group * Packing.MaxWidth];
        float* sums = stackalloc float[Group];
        Decoding<V> decoding = F16Format.Decoding<S, V>();
        nint within = count - (ahead / rowBytes);
        for (int j = 0; j < count; j++, w += rowBytes, products++)
        {
            BlockScales.FourOfW<S, V, TFormat>(w + integers, apart * rowBytes, blocks, Input.Scales, Input.Zeros, decoding, scales, row, rest, out V s0,
                out V s1, out V s2, out V s3);
            TDots.Dot4x1(blocks, w, apart * rowBytes, Input.Integers, scales, row, j < within ? ahead : ahead + next, ref s0, ref s1, ref s2, ref s3);
            S.Sum4(s0, s1, s2, s3, sums);
            for (int r = 0; r < Group; r++) products[r * apart] = sums[r];
        }
    }

    // One row of W and four of X at a time; BlockInput has whole groups of rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private readonly void DotFew(byte* w, nint rowBytes, int count, float* products, int stride, float* scales)
    {
        nint blocks = Input.K / Blocks.Size, integers = (nint)(Blocks.ScalesOf<TFormat>(w, Input.K) - w), row = Input.Stride,
            rowX = (nint)Input.K * TDots.BytesX;
        short* rest = stackalloc short[Group * Packing.MaxWidth];
        float* sums = stackalloc float[Group];
        Decoding<V> decoding = F16Format.Decoding<S, V>();
        for (int j = 0; j < count; j++, w += rowBytes)
        {
            for (int first = 0; first < Input.M; first += Group)
            {
                float* x = Input.Scales + (first * row), zeros = Input.Zeros + (first * row);
                BlockScales.FourOfX<S, V, TFormat>(w + integers, blocks, x, zeros, decoding, scales, row, rest, out V s0, out V s1, out V s2, out V s3);
                TDots.Dot1x4(blocks, w, Input.Integers + (first * rowX), rowX, scales, row, ref s0, ref s1, ref s2, ref s3);
                S.Sum4(s0, s1, s2, s3, sums);
                for (int i = 0; i < Math.Min(Group, Input.M - first); i++) products[((first + i) * stride) + j] = sums[i];
            }
        }
    }
}
