namespace ManagedTransformers.Kernels;

/// <summary>How a number of rows is cut into panels of whole vectors: as few as the widest tile allows, of widths as equal as can be.</summary>
internal readonly struct Panels
{
    private readonly int _width, _vectors, _wider;

    /// <param name="rows">Rows of X, which are a panel's columns.</param>
    /// <param name="width">Lanes of a vector.</param>
    /// <param name="maxVectors">Vectors of the widest tile.</param>
    public Panels(int rows, int width, int maxVectors)
    {
        _width = width;
        int vectors = Packing.Padded(rows, width) / width;
        Padded = vectors * width;
        Count = (vectors + maxVectors - 1) / maxVectors;
        _vectors = Count == 0 ? 0 : vectors / Count;
        _wider = vectors - (Count * _vectors);
    }

    /// <summary>Rows of all panels: the number given, rounded up to whole vectors.</summary>
    public int Padded { get; }

    public int Count { get; }

    /// <summary>Vectors of a panel; the first ones may be wider by one.</summary>
    public int Vectors(int panel) => panel < _wider ? _vectors + 1 : _vectors;

    public int Width(int panel) => Vectors(panel) * _width;
    public int First(int panel) => ((panel * _vectors) + Math.Min(panel, _wider)) * _width;

    /// <summary>The panel that a row lies in.</summary>
    public int Of(int row)
    {
        int vector = row / _width, wide = _wider * (_vectors + 1);
        return vector < wide ? vector / (_vectors + 1) : _wider + ((vector - wide) / _vectors);
    }
}

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
