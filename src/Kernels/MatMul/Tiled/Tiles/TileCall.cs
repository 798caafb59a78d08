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
