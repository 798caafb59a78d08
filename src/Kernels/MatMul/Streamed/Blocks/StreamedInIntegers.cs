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
