namespace ManagedTransformers.Kernels;

/// <summary>
/// How GEMV multiplies blocks of integers: what integers X becomes, and the inner loops. A block's sum of products is exact; times the
/// block's scale (<see cref="BlockScales"/>) it is added to one sum per row.
/// </summary>
/// <remarks>Both loops add in the same order, so that a row of Y has the same bits alone and among others. They call nothing.</remarks>
internal unsafe interface IBlockDots
{
    /// <summary>The largest integer of X.</summary>
    static abstract int MostX { get; }

    /// <summary>Bytes of an integer of X.</summary>
    static abstract int BytesX { get; }

    /// <summary>Stores a block of X where the loops look for it.</summary>
    /// <param name="integers">32, from −<see cref="MostX"/> to <see cref="MostX"/>.</param>
    /// <param name="x">The row.</param>
    /// <param name="block">The block's number in it.</param>
    static abstract void StoreX(short* integers, byte* x, nint block);

    /// <summary>Σ over the blocks of 4 rows of W and one of X.</summary>
    /// <remarks>Two pointers and two indexes should reach the four rows: a loop with more addresses than registers loads some at every step.</remarks>
    /// <param name="blocks">Blocks of a row.</param>
    /// <param name="w">The first row of W.</param>
    /// <param name="apart">Bytes from a row of W to the next.</param>
    /// <param name="x">The row of X.</param>
    /// <param name="scales">[4, blocks].</param>
    /// <param name="starts">Four vectors, where the sums begin.</param>
    /// <param name="sums">[4].</param>
    static abstract void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, float* starts, float* sums);

    /// <summary>The same of one row of W and 4 of X that lie <paramref name="apart"/>.</summary>
    static abstract void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, float* starts, float* sums);
}
