namespace ManagedTransformers.Kernels;

/// <summary>
/// How the elements of a stored weight row become floats. A format is one struct in one file: GEMM uses it when it packs a
/// panel, GEMV inside the dot product, embeddings when they copy a row.
/// </summary>
internal unsafe interface IWeightFormat
{
    /// <summary>Bytes of a row of k elements.</summary>
    static abstract nint RowBytes(nint k);

    /// <summary>Elements <paramref name="index"/> … <paramref name="index"/> + Width − 1; the index is a multiple of Width.</summary>
    static abstract V Widen<S, V>(byte* row, nint index)
        where S : struct, ISimd<V>
        where V : struct;

    /// <summary>Element <paramref name="index"/>.</summary>
    static abstract float WidenOne(byte* row, nint index);
}
