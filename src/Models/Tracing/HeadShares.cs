using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>Each head's share of an attention's output projection, [batch, heads, sequence, hidden].</summary>
internal static class HeadShares
{
    /// <returns>The projection's output from changed shares; null where no intervention changed one.</returns>
    public static FloatTensor? Tap(string name, Linear projection, FloatTensor context, HeadLayout layout, Session session, ActivationTrace trace)
    {
        FloatTensor shares = trace.NewTensor(name, session.Batch.Rows, layout.Heads, session.Batch.Width, projection.OutFeatures);
        for (int head = 0; head < layout.Heads; head++) Fill(shares, head, projection, context, layout, session);
        if (!trace.Tap(shares)) return null;
        FloatTensor y = session.Workspace.Rent(projection.Name, context.Shape[0], projection.OutFeatures);
        Sum(shares, projection.Bias, y, session.Batch);
        return session.Tap(projection.Name, y);
    }

    /// <summary>The projection of one head, the others being zero, without bias. It works on weights in any format.</summary>
    private static void Fill(FloatTensor shares, int head, Linear projection, FloatTensor context, HeadLayout layout, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        PackedBatch batch = session.Batch;
        FloatTensor alone = session.Workspace.Rent("head", context.Shape[0], context.Shape[1]);
        FloatTensor product = session.Workspace.Rent("head_output", context.Shape[0], projection.OutFeatures);
        alone.Span.Clear();
        for (int token = 0; token < batch.Tokens; token++)
            layout.Of(context.Row(token), head).CopyTo(layout.Of(alone.Row(token), head));
        projection.WithoutBias().ForwardTo(alone, product, session);
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                product.Row(token).CopyTo(RowOf(shares, row, head, batch.Columns[token]));
    }

    private static void Sum(FloatTensor shares, ReadOnlySpan<float> bias, FloatTensor y, PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
        {
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
            {
                Span<float> sum = y.Row(token);
                sum.Clear();
                bias.CopyTo(sum);
                for (int head = 0; head < shares.Shape[1]; head++)
                {
                    ReadOnlySpan<float> share = RowOf(shares, row, head, batch.Columns[token]);
                    for (int i = 0; i < sum.Length; i++) sum[i] += share[i];
                }
            }
        }
    }

    private static Span<float> RowOf(FloatTensor shares, int row, int head, int column) =>
        shares.Row((row * shares.Shape[1] + head) * shares.Shape[2] + column);
}
