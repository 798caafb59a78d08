namespace ManagedTransformers.Kernels;

/// <summary>What products of bytes need besides <see cref="ISimd{V}"/>: levels whose processors multiply them.</summary>
/// <typeparam name="V">The vector type.</typeparam>
internal interface IByteSimd<V> : ISimd<V>
{
    /// <summary>Products of unsigned and signed bytes, added two by two to 2 · Width 16-bit integers; sums beyond 16 bits are cut off.</summary>
    static abstract V MultiplyAddInt8(V unsigned, V signed);

    /// <summary>Whether the processor adds products of bytes in 32 bits; known to the compiler, so that only one way is compiled.</summary>
    static abstract bool HasAddDot { get; }

    /// <summary>To each 32-bit integer of sum, the products of its four unsigned and four signed bytes; only where <see cref="HasAddDot"/>.</summary>
    static abstract V AddDot(V sum, V unsigned, V signed);

    static abstract V AddInt16(V a, V b);

    /// <summary>4 · Width bytes. Where these are several groups of 32, interleaved: four bytes of each group.</summary>
    static abstract unsafe V LoadInterleaved(byte* p);

    /// <summary>
    /// Of two vectors of 2 · Width 16-bit integers, interleaved as <see cref="LoadInterleaved"/> leaves their groups: sums of those that belong to the
    /// same group. Two neighbours each are group 0 of a, group 0 of b, group 1 of a, …, and again from the start.
    /// </summary>
    static abstract V Join(V a, V b);

    /// <summary>Width / 4 floats, again and again.</summary>
    static abstract unsafe V Repeat(float* p);
}
