namespace ManagedTransformers.Models;

/// <summary>Where the heads of a token lie in a packed row.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Width of each.</param>
/// <param name="First">Where the first one begins.</param>
/// <param name="HeadsPerBlock">Heads that lie side by side.</param>
/// <param name="BlockStride">From one such group to the next.</param>
internal readonly record struct HeadLayout(int Heads, int HeadDim, int First, int HeadsPerBlock, int BlockStride)
{
    /// <summary>All heads side by side, from the start of the row.</summary>
    public HeadLayout(int heads, int headDim) : this(heads, headDim, 0, heads, 0)
    {
    }

    /// <summary>[batch, heads, sequence, head_dim].</summary>
    public int[] Shape(PackedBatch batch) => [batch.Rows, Heads, batch.Width, HeadDim];

    /// <summary>A head of a packed row.</summary>
    public Span<float> Of(Span<float> row, int head) => row.Slice(First + head / HeadsPerBlock * BlockStride + head % HeadsPerBlock * HeadDim, HeadDim);

    /// <summary>Packed rows as [batch, heads, sequence, head_dim]; padding is zero.</summary>
    public Tensor Unpack(Tensor packed, PackedBatch batch, string name)
    {
        var heads = new Tensor(name, Shape(batch));
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < Heads; head++)
                    Of(packed.Row(token), head).CopyTo(heads.Row((row * Heads + head) * batch.Width + batch.Columns[token]));
        return heads;
    }

    /// <summary>The other way round.</summary>
    public void Pack(Tensor heads, Tensor packed, PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < Heads; head++)
                    heads.Row((row * Heads + head) * batch.Width + batch.Columns[token]).CopyTo(Of(packed.Row(token), head));
    }

    /// <summary>The heads of some packed rows one after the other, [heads, count, head_dim].</summary>
    public float[] Gather(Tensor packed, int first, int count)
    {
        float[] gathered = new float[Heads * count * HeadDim];
        for (int i = 0; i < count; i++)
            for (int head = 0; head < Heads; head++)
                Of(packed.Row(first + i), head).CopyTo(gathered.AsSpan((head * count + i) * HeadDim));
        return gathered;
    }
}
