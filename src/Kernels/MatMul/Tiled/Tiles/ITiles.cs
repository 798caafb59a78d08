namespace ManagedTransformers.Kernels;

/// <summary>
/// The microkernels of a level, one for each width of a panel. A tile holds Rows × vectors sums in registers, named one by one
/// (arrays would live in memory), and adds the product of a column of a and a row of b at each step.
/// </summary>
internal unsafe interface ITiles
{
    /// <summary>Vectors of the widest tile.</summary>
    static abstract int MaxVectors { get; }

    /// <summary>The most steps of k at a time: a panel of the widest tile should stay near the core while rows pass by.</summary>
    static abstract int MaxDepth { get; }

    /// <summary>Rows of the tile of this width.</summary>
    static abstract int Rows(int vectors);

    /// <summary>Runs the tile of this width.</summary>
    static abstract void Run<S, V>(int vectors, in TileCall call) where S : struct, ISimd<V>;
}

/// <summary>Tiles for 32 registers. Their panels stay in L2, from where 20 bytes a cycle come easily.</summary>
internal readonly unsafe struct Tiles32 : ITiles
{
    public static int MaxVectors => 4;

    public static int MaxDepth => 768;

    public static int Rows(int vectors) => vectors switch { 4 => Tile6x4.Rows, 3 => Tile8x3.Rows, 2 => Tile8x2.Rows, _ => Tile12x1.Rows };

    public static void Run<S, V>(int vectors, in TileCall call) where S : struct, ISimd<V>
    {
        switch (vectors)
        {
            case 4: Tile6x4.Run<S, V>(call); break;
            case 3: Tile8x3.Run<S, V>(call); break;
            case 2: Tile8x2.Run<S, V>(call); break;
            default: Tile12x1.Run<S, V>(call); break;
        }
    }
}

/// <summary>Tiles for 16 registers, with panels that stay in L1; also for CPUs of which only Vector&lt;T&gt; is known.</summary>
internal readonly unsafe struct Tiles16 : ITiles
{
    public static int MaxVectors => 2;

    public static int MaxDepth => 384;

    public static int Rows(int vectors) => vectors == 2 ? Tile6x2.Rows : Tile12x1.Rows;

    public static void Run<S, V>(int vectors, in TileCall call) where S : struct, ISimd<V>
    {
        if (vectors == 2) Tile6x2.Run<S, V>(call);
        else Tile12x1.Run<S, V>(call);
    }
}
