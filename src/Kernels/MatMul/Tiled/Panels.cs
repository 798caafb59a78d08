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

    /// <summary>Panels.</summary>
    public int Count { get; }

    /// <summary>Vectors of a panel; the first ones may be wider by one.</summary>
    public int Vectors(int panel) => panel < _wider ? _vectors + 1 : _vectors;

    /// <summary>Rows of a panel.</summary>
    public int Width(int panel) => Vectors(panel) * _width;

    /// <summary>The first row of a panel.</summary>
    public int First(int panel) => ((panel * _vectors) + Math.Min(panel, _wider)) * _width;

    /// <summary>The panel that a row lies in.</summary>
    public int Of(int row)
    {
        int vector = row / _width, wide = _wider * (_vectors + 1);
        return vector < wide ? vector / (_vectors + 1) : _wider + ((vector - wide) / _vectors);
    }
}
