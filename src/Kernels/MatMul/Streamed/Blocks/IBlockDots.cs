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

    /// <summary>Stores blocks of X where the loops look for them.</summary>
    /// <param name="integers">[count, 32], from −<see cref="MostX"/> to <see cref="MostX"/>.</param>
    /// <param name="x">The row.</param>
    /// <param name="first">The first block's number in it.</param>
    /// <param name="count">Blocks.</param>
    static abstract void StoreX(short* integers, byte* x, nint first, int count);

    /// <summary>Adds the blocks of 4 rows of W and one of X to a sum for each row.</summary>
    /// <remarks>Two pointers and two indexes should reach the four rows: a loop with more addresses than registers loads some at every step.</remarks>
    /// <param name="blocks">Blocks of a row.</param>
    /// <param name="w">The first row of W.</param>
    /// <param name="apart">Bytes from a row of W to the next.</param>
    /// <param name="x">The row of X.</param>
    /// <param name="scales">[4, <paramref name="row"/>].</param>
    /// <param name="row">Floats of a row of scales.</param>
    /// <param name="ahead">How many bytes ahead of its loads memory is asked.</param>
    /// <param name="s0">The first row's sum, a vector of parts.</param>
    /// <param name="s1">The second one's.</param>
    /// <param name="s2">The third one's.</param>
    /// <param name="s3">The fourth one's.</param>
    static abstract void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, nint row, nint ahead, ref V s0, ref V s1, ref V s2, ref V s3);

    /// <summary>The same of one row of W and 4 of X that lie <paramref name="apart"/>.</summary>
    static abstract void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, nint row, ref V s0, ref V s1, ref V s2, ref V s3);
}
