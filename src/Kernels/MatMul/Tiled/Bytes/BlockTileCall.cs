namespace ManagedTransformers.Kernels;

/// <summary>What a tile of bytes computes: c[r, j] += Σ over the blocks of 32 columns, scale(r) · scale(j) · Σ a[r, p] · b[p, j].</summary>
internal unsafe struct BlockTileCall
{
    /// <summary>Steps of a tile in a block, eight columns each.</summary>
    public const int StepsPerBlock = Kernels.Blocks.Size / (2 * PackedBytes.Group);

    public int Blocks;      // blocks of 32 columns
    public byte* A;         // unsigned bytes: a[r, p] is at r · ARow + p
    public nint ARow;       // bytes from a row of a to the next
    public float* Scales;   // scales of a's blocks, [rows, Blocks]
    public sbyte* B;        // A panel of PackedBytes
    public float* XScales;  // its scales
    public float* XZeros;   // its zeros
    public float* C;        // c[r, …] is as many vectors at r · CRow
    public nint CRow;       // floats from a row of c to the next
    public PrefetchRange Prefetch;  // what the tiles after this one read: one stretch
}
