namespace ManagedTransformers.Kernels;

/// <summary>A number of rows in as few blocks as a largest height allows, of heights as equal as can be; none is empty.</summary>
/// <param name="rows">All rows.</param>
/// <param name="most">The most rows of a block.</param>
internal readonly struct EqualBlocks(int rows, int most)
{
    /// <summary>Rows of every block but the last, which may have fewer.</summary>
    public int Height { get; } = rows == 0 ? 0 : (int)(((long)rows + Fewest(rows, most) - 1) / Fewest(rows, most));

    public int Count => rows == 0 ? 0 : (int)(((long)rows + Height - 1) / Height);

    /// <summary>First row and number of rows of a block.</summary>
    public (int First, int Rows) this[int block] => (block * Height, Math.Min(Height, rows - (block * Height)));

    private static long Fewest(int rows, int most) => ((long)rows + most - 1) / most;
}
