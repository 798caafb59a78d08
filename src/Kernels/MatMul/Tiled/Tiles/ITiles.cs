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

/// <summary>What a tile computes: c[r, j] (+)= Σ a[r, p] · b[p, j].</summary>
internal unsafe struct TileCall
{
    public int K;                   // steps p
    public float* A;                // a[r, p] is at r · ARow + p
    public nint ARow;
    public float* B;                // a panel: the tile's vectors of b[p, …] for step after step, without gaps
    public float* C;                // c[r, …] is as many vectors at r · CRow
    public nint CRow;
    public bool Accumulate;         // adds to c; otherwise overwrites it
    public PrefetchRange Prefetch;  // what the tiles after this one read
}

/// <summary>
/// What a tile prefetches while it computes, because the tiles after it read it: some stretches, such as rows of W or a part of a panel of X. The CPU's own
/// prefetching begins anew at each page and each row, which is too late for 24 multiply-adds a step.
/// </summary>
internal readonly unsafe struct PrefetchRange
{
    public readonly byte* Start;     // of the first stretch
    public readonly int Stretches;
    public readonly nint Stride;     // bytes from a stretch to the next
    public readonly int Steps;       // of the tile in which it prefetches a stretch: an even number
    public readonly nint Step;       // bytes for each of these steps

    /// <summary>Stretches of this many bytes each, shared out equally to the tile's depth steps: to pairs of steps, as most tiles take two per turn.</summary>
    /// <remarks>A prefetch never faults, so that the start may lie beyond what there is.</remarks>
    public PrefetchRange(byte* start, int stretches, nint stride, nint bytes, int depth)
    {
        Start = start;
        (Stretches, Stride, Steps) = (stretches, stride, depth / stretches / 2 * 2);
        Step = Steps == 0 ? 0 : (bytes + Steps - 1) / Steps;
    }

    /// <summary>Nothing that is not near already.</summary>
    public static PrefetchRange Nothing(float* near, int depth) => new((byte*)near, 1, 0, 0, depth);
}
