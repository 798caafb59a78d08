namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows of X with blocks of integers: X becomes bytes, and bytes are multiplied.</summary>
/// <remarks>docs/adr/0006 has why the bytes have seven bits.</remarks>
internal sealed unsafe class TiledInBytes<S, V, TTiles, TFormat> : TiledProducts
    where S : struct, IByteSimd<V>
    where TTiles : struct, IBlockTiles
    where TFormat : struct, IBlockFormat
{
    protected override long PackedLength(EqualBlocks blocks, int k) => PackedBytes.Length(blocks, k);

    protected override Panels Pack(float* x, int rows, int k, float* packed, int threads)
    {
        var layout = new Panels(rows, S.Width, IBlockTiles.MaxVectors);
        var pack = new PackBytesJob<S, V, TFormat> { X = x, M = rows, Packed = new PackedBytes(layout, k, packed) };
        WorkerPool.Shared.Run(pack.Tasks, threads, pack);
        return layout;
    }

    protected override void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads)
    {
        BlockGemmJob<S, V, TTiles, TFormat>* jobs = stackalloc BlockGemmJob<S, V, TTiles, TFormat>[count];
        for (int i = 0; i < count; i++)
        {
            jobs[i] = new BlockGemmJob<S, V, TTiles, TFormat>
            {
                X = new PackedBytes(layout, calls[i].K, packed),
                Row = row,
                M = rows,
                W = calls[i].W,
                Output = calls[i].Output,
                Next = next == null ? default : new PackedBytes(layout, calls[i].Output.N, next),
            };
        }
        var group = new JobGroup<BlockGemmJob<S, V, TTiles, TFormat>>(jobs, count);
        WorkerPool.Shared.Run(group.Tasks, threads, group);
    }
}
