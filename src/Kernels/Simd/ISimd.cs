namespace ManagedTransformers.Kernels;


/// <summary>
/// What an algorithm may ask of a vector of floats. A kernel is written once as <c>Body&lt;S, V&gt;() where S : struct, ISimd&lt;V&gt;</c>;
/// the stateless tag S compiles away, and V is a register.
/// </summary>
/// <remarks>
/// Integer operations read the same lanes as 32-bit integers. A mask has all bits of a lane set or none.
/// Sums over lanes are added in a fixed order, so a result depends on the level, but not on addresses or threads.
/// </remarks>
/// <typeparam name="V">The vector type.</typeparam>
internal unsafe interface ISimd<V>
{
    /// <summary>Lanes.</summary>
    static abstract int Width { get; }

    /// <summary>Vector registers.</summary>
    static abstract int Registers { get; }

    static abstract V Load(float* p);
    static abstract void Store(float* p, V v);

    /// <summary>Width 16-bit integers, sign-extended to 32 bits.</summary>
    static abstract V LoadInt16(short* p);

    /// <summary>Width 16-bit integers of lanes that are 0 … 65535.</summary>
    static abstract void StoreInt16(short* p, V v);

    static abstract V Broadcast(float x);
    static abstract V BroadcastInt(int x);
    static abstract V Add(V a, V b);
    static abstract V Subtract(V a, V b);
    static abstract V Multiply(V a, V b);
    static abstract V Divide(V a, V b);

    /// <summary>a · b + c; rounded once where the CPU fuses.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>c − a · b; rounded once where the CPU fuses.</summary>
    static abstract V SubtractProduct(V c, V a, V b);

    /// <summary>The larger lanes; NaN in <paramref name="b"/> stays, NaN in <paramref name="a"/> may not.</summary>
    static abstract V Max(V a, V b);

    /// <summary>The smaller lanes; NaN in <paramref name="b"/> stays, NaN in <paramref name="a"/> may not.</summary>
    static abstract V Min(V a, V b);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract V Round(V a);

    /// <summary>a · 2ⁿ for integral n from −252 to 252, rounded once.</summary>
    static abstract V Scale(V a, V n);

    static abstract V And(V a, V b);
    static abstract V Or(V a, V b);
    static abstract V AddInt(V a, V b);
    static abstract V ShiftLeft(V a, int bits);

    /// <summary>Zeros come in from the left, also where the sign is set.</summary>
    static abstract V ShiftRight(V a, int bits);

    /// <summary>2 · Width bytes as 16-bit integers, sign-extended.</summary>
    static abstract V LoadInt8(sbyte* p);

    /// <summary>2 · Width bytes as 16-bit integers, zero-extended.</summary>
    static abstract V LoadUInt8(byte* p);

    /// <summary>Of 2 · Width 16-bit integers, zeros moving in.</summary>
    static abstract V ShiftRightInt16(V a, int bits);

    /// <summary>Products of 16-bit integers, added two by two to Width 32-bit integers; which two is left open.</summary>
    static abstract V MultiplyAddInt16(V a, V b);

    /// <summary>32-bit integers to floats.</summary>
    static abstract V ToSingle(V a);

    /// <summary>Mask of the lanes with a &lt; b; false where one is NaN.</summary>
    static abstract V Less(V a, V b);

    /// <summary>Lanes of <paramref name="a"/> where the mask is set, else of <paramref name="b"/>.</summary>
    static abstract V Select(V mask, V a, V b);

    /// <summary>Lanes 1 0 3 2 5 4 …</summary>
    static abstract V SwapPairs(V a);

    static abstract float Sum(V a);

    /// <summary>The <see cref="Sum"/> of each of four vectors, to the same bits.</summary>
    static abstract void Sum4(V a, V b, V c, V d, float* sums);

    /// <summary>The <see cref="Sum"/> of each of eight vectors, to the same bits.</summary>
    static abstract void Sum8(V a, V b, V c, V d, V e, V f, V g, V h, float* sums);

    /// <summary>The largest lane; NaN may be lost.</summary>
    static abstract float MaxLane(V a);

    /// <summary>Transposes Width × Width floats: destination[c · destinationStride + r] = source[r · sourceStride + c].</summary>
    static abstract void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride);

    /// <summary>Prefetches the cache line at <paramref name="p"/>; never faults.</summary>
    static abstract void Prefetch(void* p);

    /// <summary>The same, but not into L1: for what is read a while later.</summary>
    static abstract void PrefetchL2(void* p);
}

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
