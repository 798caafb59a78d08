namespace ManagedTransformers.Kernels;

/// <summary>
/// What a tile asks memory for while it computes, because the tiles after it read it: some stretches, such as rows of W or a part of a
/// panel of X. The CPU's own prefetching begins anew at each page and each row, which is too late for 24 multiply-adds a step.
/// </summary>
internal readonly unsafe struct Ahead
{
    /// <param name="start">The first stretch. Asking never faults, so that it may lie beyond what there is.</param>
    /// <param name="stretches">How many.</param>
    /// <param name="stride">Bytes from one to the next.</param>
    /// <param name="bytes">Bytes of each.</param>
    /// <param name="depth">Steps of the tile, which are shared out equally: pairs of steps, as most tiles take two per turn.</param>
    public Ahead(byte* start, int stretches, nint stride, nint bytes, int depth)
    {
        Start = start;
        Stretches = stretches;
        Stride = stride;
        Steps = depth / stretches / 2 * 2;
        Step = Steps == 0 ? 0 : (bytes + Steps - 1) / Steps;
    }

    /// <summary>The first byte of the first stretch.</summary>
    public byte* Start { get; }

    /// <summary>Stretches.</summary>
    public int Stretches { get; }

    /// <summary>Bytes from a stretch to the next.</summary>
    public nint Stride { get; }

    /// <summary>Steps of the tile in which it asks for a stretch: an even number.</summary>
    public int Steps { get; }

    /// <summary>Bytes for each of these steps.</summary>
    public nint Step { get; }

    /// <summary>Nothing that is not near already.</summary>
    public static Ahead Nothing(float* near, int depth) => new((byte*)near, 1, 0, 0, depth);
}
