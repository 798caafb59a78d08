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

    /// <summary>The rows of W that the next tile takes, as stored: a tile of one vector asks memory for them while it computes. May lie beyond W.</summary>
    public byte* Ahead;

    /// <summary>Bytes of them for each step.</summary>
    public nint AheadStep;
}
