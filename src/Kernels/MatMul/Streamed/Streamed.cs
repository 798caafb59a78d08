namespace ManagedTransformers.Kernels;

/// <summary>Products of few rows with a W of floats or halves, each with an X of its own or that of the one before.</summary>
internal sealed unsafe class Streamed<S, V, TFormat> : ProductKernel
    where S : struct, ISimd<V>
    where TFormat : struct, IWeightFormat
{
    public override void Run(ProductCall* calls, int count, int m, int threads)
    {
        GemvJob<S, V, TFormat>* jobs = stackalloc GemvJob<S, V, TFormat>[count];
        var groups = new GemvGroups(m, S.Registers);
        bool lay = m > 1 || TFormat.InputScale != 1;
        long length = 0;
        for (int i = 0; i < count; i++) length += (long)groups.Padded * calls[i].K;
        float* memory = lay ? Scratch.ForCall(length) : null;
        for (int i = 0, same; i < count; i += same)
        {
            float* x = calls[i].X, grouped = x;
            int k = calls[i].K;
            if (lay)
            {
                grouped = memory;
                groups.Lay<S, V>(x, k, TFormat.InputScale, grouped);
                memory += (nint)groups.Padded * k;
            }
            same = ProductCall.WithSameX(calls + i, count - i);
            for (int j = i; j < i + same; j++)
                jobs[j] = new GemvJob<S, V, TFormat> { X = x, Grouped = grouped, Groups = groups, K = k, W = calls[j].W, Output = calls[j].Output };
        }
        var group = new JobGroup<GemvJob<S, V, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}
