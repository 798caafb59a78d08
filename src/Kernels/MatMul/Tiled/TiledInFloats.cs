namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows with W as floats, decoded where it is stored otherwise.</summary>
internal sealed unsafe class TiledInFloats<S, V, TTiles, TFormat> : TiledProducts
    where S : struct, ISimd<V>
    where TTiles : struct, ITiles
    where TFormat : struct, IRowFormat
{
    protected override long PackedLength(EqualBlocks blocks, int k) => (long)Packing.Padded(blocks.Height, Packing.MaxWidth) * k;

    protected override Panels Pack(float* x, int rows, int k, float* packed, int threads)
    {
        var layout = new Panels(rows, S.Width, TTiles.MaxVectors);
        var pack = new PackRowsJob<S, V> { X = x, M = rows, K = k, Layout = layout, Packed = packed };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return layout;
    }

    protected override void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads)
    {
        GemmJob<S, V, TTiles, TFormat>* jobs = stackalloc GemmJob<S, V, TTiles, TFormat>[count];
        int n = 0;
        for (int i = 0; i < count; i++) n += calls[i].Output.N;
        for (int i = 0; i < count; i++)
        {
            jobs[i] = new GemmJob<S, V, TTiles, TFormat>
            {
                PackedX = packed,
                Layout = layout,
                Row = row,
                M = rows,
                K = calls[i].K,
                W = calls[i].W,
                LargeTasks = Tiling.LargeTasks(calls[i].Output.N, n, isLast: i == count - 1, threads),
                Threads = threads,
                Output = calls[i].Output,
                PackedY = next,
            };
        }
        var group = new JobGroup<GemmJob<S, V, TTiles, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}
