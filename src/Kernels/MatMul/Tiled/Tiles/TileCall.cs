namespace ManagedTransformers.Kernels;

/// <summary>What a tile computes: c[r, j] (+)= Σ a[r, p] · b[p, j].</summary>
internal unsafe struct TileCall
{
    /// <summary>Steps p.</summary>
    public int K;

    /// <summary>a[r, p] is at r · ARow + p.</summary>
    public float* A;

    /// <summary>Floats from a row of a to the next.</summary>
    public nint ARow;

    /// <summary>A panel: the tile's vectors of b[p, …] for step after step, without gaps.</summary>
    public float* B;

    /// <summary>c[r, …] is as many vectors at r · CRow.</summary>
    public float* C;

    /// <summary>Floats from a row of c to the next.</summary>
    public nint CRow;

    /// <summary>Adds to c; otherwise overwrites it.</summary>
    public bool Accumulate;

    /// <summary>What the tiles after this one read.</summary>
    public Ahead Ahead;
}
