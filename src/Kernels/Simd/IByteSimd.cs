namespace ManagedTransformers.Kernels;

/// <summary>What products of bytes need beside <see cref="ISimd{V}"/>: levels whose processors multiply them.</summary>
/// <typeparam name="V">The vector type.</typeparam>
internal interface IByteSimd<V> : ISimd<V>
    where V : struct
{
    /// <summary>Products of unsigned and signed bytes, added two by two to 2 · Width 16-bit integers; sums beyond 16 bits are cut off.</summary>
    static abstract V MultiplyAddInt8(V unsigned, V signed);

    static abstract V AddInt16(V a, V b);
}
