namespace ManagedTransformers.Kernels;

/// <summary>What a tile of bytes computes: c[r, j] += Σ over the blocks of 32 columns, scale(r) · scale(j) · Σ a[r, p] · b[p, j].</summary>
internal unsafe struct BlockTileCall
{
    /// <summary>Steps of a tile in a block, eight columns each.</summary>
    public const int StepsPerBlock = Kernels.Blocks.Size / (2 * PackedBytes.Group);

    /// <summary>Blocks of 32 columns.</summary>
    public int Blocks;

    /// <summary>Unsigned bytes: a[r, p] is at r · ARow + p.</summary>
    public byte* A;

    /// <summary>Bytes from a row of a to the next.</summary>
    public nint ARow;

    /// <summary>Scales of a's blocks, [rows, Blocks].</summary>
    public float* Scales;

    /// <summary>A panel of <see cref="PackedBytes"/>.</summary>
    public sbyte* B;

    /// <summary>Its scales.</summary>
    public float* XScales;

    /// <summary>Its zeros.</summary>
    public float* XZeros;

    /// <summary>c[r, …] is as many vectors at r · CRow.</summary>
    public float* C;

    /// <summary>Floats from a row of c to the next.</summary>
    public nint CRow;

    /// <summary>What the tiles after this one read: one stretch.</summary>
    public Ahead Ahead;
}
