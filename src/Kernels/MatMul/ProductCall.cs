namespace ManagedTransformers.Kernels;

/// <summary>A product as pointers, which worker threads may hold. The products of one call have as many rows of X, and W of one type.</summary>
internal unsafe struct ProductCall
{
    /// <summary>X, [m, K].</summary>
    public float* X;

    /// <summary>Columns of X and W.</summary>
    public int K;

    /// <summary>W as stored, [Output.N, K].</summary>
    public byte* W;

    /// <summary>Y and the epilogue.</summary>
    public Output Output;

    /// <summary>How many products, the first one included, have the X of the first one.</summary>
    public static int WithSameX(ProductCall* calls, int count)
    {
        int same = 1;
        while (same < count && calls[same].X == calls->X && calls[same].K == calls->K) same++;
        return same;
    }
}
