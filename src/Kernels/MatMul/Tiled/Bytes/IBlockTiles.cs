namespace ManagedTransformers.Kernels;

/// <summary>The microkernels for blocks of integers of a level, one for each width of a panel.</summary>
internal unsafe interface IBlockTiles
{
    /// <summary>Vectors of the widest tile.</summary>
    public const int MaxVectors = 2;

    /// <summary>Rows of the tile of this width.</summary>
    static abstract int Rows(int vectors);

    /// <summary>Runs the tile of this width.</summary>
    static abstract void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat;
}

/// <summary>Tiles for 32 registers.</summary>
internal readonly unsafe struct BlockTiles32 : IBlockTiles
{
    public static int Rows(int vectors) => vectors == 2 ? BlockTile8x2.Rows : BlockTile8x1.Rows;

    public static void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        if (vectors == 2) BlockTile8x2.Run<S, V, TFormat>(call);
        else BlockTile8x1.Run<S, V, TFormat>(call);
    }
}

/// <summary>Tiles for 16 registers.</summary>
internal readonly unsafe struct BlockTiles16 : IBlockTiles
{
    public static int Rows(int vectors) => vectors == 2 ? BlockTile4x2.Rows : BlockTile8x1.Rows;

    public static void Run<S, V, TFormat>(int vectors, in BlockTileCall call)
        where S : struct, IByteSimd<V>
        where TFormat : struct, IBlockFormat
    {
        if (vectors == 2) BlockTile4x2.Run<S, V, TFormat>(call);
        else BlockTile8x1.Run<S, V, TFormat>(call);
    }
}

/// <summary>What a tile of bytes computes: c[r, j] += Σ over the blocks of 32 columns, scale(r) · scale(j) · Σ a[r, p] · b[p, j].</summary>
internal unsafe struct BlockTileCall
{
    /// <summary>Steps of a tile in a block, eight columns each.</summary>
    public const int StepsPerBlock = Kernels.Blocks.Size / (2 * PackedBytes.Group);

    public int Blocks;              // of 32 columns
    public byte* A;                 // unsigned bytes: a[r, p] is at r · ARow + p
    public nint ARow;
    public float* Scales;           // of a's blocks, [rows, Blocks]
    public sbyte* B;                // a panel of PackedBytes
    public float* XScales, XZeros;  // its scales and zeros
    public float* C;                // c[r, …] is as many vectors at r · CRow
    public nint CRow;
    public PrefetchRange Prefetch;  // what the tiles after this one read: one stretch
}
