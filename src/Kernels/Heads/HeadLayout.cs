namespace ManagedTransformers.Kernels;

/// <summary>Where the heads of a token lie in its row of values.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Width of each.</param>
/// <param name="First">Where the first one begins.</param>
/// <param name="HeadsPerBlock">Heads that follow each other without a gap.</param>
/// <param name="BlockStride">From one such block to the next.</param>
/// <remarks>
/// The keys of a fused projection, for example: q|k|v has them at (h, d, h · d, h, 0); per head [q|k|v] at (h, d, d, 1, 3 · d); CodeGen's four
/// blocks of [q|v|k] at (h, d, 2 · part, h / 4, 3 · part), where part = h / 4 · d.
/// </remarks>
internal readonly record struct HeadLayout(int Heads, int HeadDim, int First, int HeadsPerBlock, int BlockStride)
{
    /// <summary>All heads without a gap, from the start of the row.</summary>
    public HeadLayout(int heads, int headDim) : this(heads, headDim, 0, heads, 0)
    {
    }

    public int Start(int head) => First + (head / HeadsPerBlock * BlockStride) + (head % HeadsPerBlock * HeadDim);
    public Span<float> Of(Span<float> row, int head) => row.Slice(Start(head), HeadDim);

    internal void Validate(int width, string name)
    {
        if (Heads < 0 || HeadDim < 0 || First < 0 || BlockStride < 0)
            throw new ArgumentException($"{name} is {this}; none of its sizes may be negative.", name);
        if (Heads == 0) return;
        if (HeadsPerBlock < 1 || Heads % HeadsPerBlock != 0)
            throw new ArgumentException($"{name} has {Heads} heads in blocks of {HeadsPerBlock}; whole blocks are needed.", name);
        long end = First + (((Heads / HeadsPerBlock) - 1L) * BlockStride) + ((long)HeadsPerBlock * HeadDim);
        Check.AtLeast(width, end, $"{name}, {Heads} heads of {HeadDim} from {First} on in blocks of {HeadsPerBlock} with stride {BlockStride},", "Width");
    }
}
