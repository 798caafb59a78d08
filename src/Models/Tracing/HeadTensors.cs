using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Packed rows as heads, and the other way round.</summary>
internal static class HeadTensors
{
    /// <summary>[batch, heads, sequence, head_dim].</summary>
    public static int[] Shape(this HeadLayout layout, PackedBatch batch) => [batch.Rows, layout.Heads, batch.Width, layout.HeadDim];

    /// <summary>Packed rows as [batch, heads, sequence, head_dim]; padding is zero.</summary>
    public static Tensor Unpack(this HeadLayout layout, Tensor packed, PackedBatch batch, string name)
    {
        var heads = new Tensor(name, layout.Shape(batch));
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < layout.Heads; head++)
                    layout.Of(packed.Row(token), head).CopyTo(heads.Row((row * layout.Heads + head) * batch.Width + batch.Columns[token]));
        return heads;
    }

    public static void Pack(this HeadLayout layout, Tensor heads, Tensor packed, PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < layout.Heads; head++)
                    heads.Row((row * layout.Heads + head) * batch.Width + batch.Columns[token]).CopyTo(layout.Of(packed.Row(token), head));
    }

    /// <summary>The heads of some packed rows one after the other, [heads, count, head_dim].</summary>
    public static float[] Gather(this HeadLayout layout, Tensor packed, int first, int count)
    {
        float[] gathered = new float[layout.Heads * count * layout.HeadDim];
        for (int i = 0; i < count; i++)
            for (int head = 0; head < layout.Heads; head++)
                layout.Of(packed.Row(first + i), head).CopyTo(gathered.AsSpan((head * count + i) * layout.HeadDim));
        return gathered;
    }
}
