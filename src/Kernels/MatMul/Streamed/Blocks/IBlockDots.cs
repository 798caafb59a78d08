namespace ManagedTransformers.Kernels;

/// <summary>
/// How GEMV multiplies blocks of integers: what integers X becomes, and the inner loops. A block's sum of products is exact; times the
/// block's scale (<see cref="BlockScales"/>) it is added to one sum per row.
/// </summary>
/// <remarks>
/// Both loops add in the same order, so that a row of Y has the same bits alone and among others. They are inlined into the loops over rows and call nothing.
/// </remarks>
/// <typeparam name="V">The vector type.</typeparam>
internal unsafe interface IBlockDots<V>
{
    /// <summary>The largest integer of X.</summary>
    static abstract int MostX { get; }

    /// <summary>Bytes of an integer of X.</summary>
    static abstract int BytesX { get; }

    /// <summary>
    /// Stores blocks of X, [count, 32] from −<see cref="MostX"/> to <see cref="MostX"/>, in a row of X from block first on, where the loops look for them.
    /// </summary>
    static abstract void StoreX(short* integers, byte* x, nint first, int count);

    /// <summary>
    /// Adds the blocks of 4 rows of W that lie <paramref name="apart"/> and one of X, times scales [4, row], to a sum for each row, a vector of parts. W is
    /// prefetched <paramref name="ahead"/> bytes before its loads.
    /// </summary>
    /// <remarks>Two pointers and two indexes should reach the four rows: a loop with more addresses than registers loads some at every step.</remarks>
    static abstract void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, nint row, nint ahead, ref V s0, ref V s1, ref V s2, ref V s3);

    /// <summary>The same of one row of W and 4 of X that lie <paramref name="apart"/>.</summary>
    static abstract void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, nint row, ref V s0, ref V s1, ref V s2, ref V s3);
}
