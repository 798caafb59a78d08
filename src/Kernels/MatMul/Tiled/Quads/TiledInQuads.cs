namespace ManagedTransformers.Kernels;

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
