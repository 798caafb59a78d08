namespace ManagedTransformers.Kernels;

/// <summary>Products of many rows of X: X is packed block of rows by block, and W multiplied with each.</summary>
internal abstract unsafe class TiledProducts : ProductKernel
{
    /// <summary>Floats that any of these blocks of rows takes when it is packed.</summary>
    protected abstract long PackedLength(EqualBlocks blocks, int k);

    /// <summary>Packs X [rows, k]. Returns where its rows lie.</summary>
    protected abstract Panels Pack(float* x, int rows, int k, float* packed, int threads);

    /// <summary>Multiplies a packed X, whose first row is row of Y. The products go to Y, or to next as the packed X of a product that follows.</summary>
    protected abstract void Multiply(float* packed, Panels layout, int row, int rows, ProductCall* calls, int count, float* next, int threads);

    public sealed override void Run(ProductCall* calls, int count, int m, int threads)
    {
        int k = calls->K;
        var blocks = new EqualBlocks(m, Tiling.RowBlock);
        float* packed = Scratch.ForCall(PackedLength(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Pack(calls->X + ((nint)row * k), rows, k, packed, threads);
            Multiply(packed, layout, row, rows, calls, count, next: null, threads);
        }
    }

    /// <summary>
    /// Two products in a row, the first without a Y and the second without an X: what lies between them is packed as it is computed. second is of the same path
    /// and level.
    /// </summary>
    public void RunBoth(ProductCall* calls, TiledProducts second, int m, int threads)
    {
        int k = calls->K;
        var blocks = new EqualBlocks(m, Tiling.RowBlock);
        long length = PackedLength(blocks, k);
        float* packed = Scratch.ForCall(length + second.PackedLength(blocks, calls->Output.N)), between = packed + length;
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Pack(calls->X + ((nint)row * k), rows, k, packed, threads);
            Multiply(packed, layout, row, rows, calls, 1, between, threads);
            second.Multiply(between, layout, row, rows, calls + 1, 1, next: null, threads);
        }
    }
}
