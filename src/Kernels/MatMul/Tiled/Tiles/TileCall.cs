namespace ManagedTransformers.Kernels;

/// <summary>What a tile computes: c[r, j] (+)= Σ a[r, p] · b[p, j].</summary>
internal unsafe struct TileCall
{
    public int K;            // steps p
    public float* A;         // a[r, p] is at r · ARow + p
    public nint ARow;        // floats from a row of a to the next
    public float* B;         // A panel: the tile's vectors of b[p, …] for step after step, without gaps
    public float* C;         // c[r, …] is as many vectors at r · CRow
    public nint CRow;        // floats from a row of c to the next
    public bool Accumulate;  // adds to c; otherwise overwrites it
    public Ahead Ahead;      // what the tiles after this one read
}
