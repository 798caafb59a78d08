using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>The output projection of an attention, and each head's share of it where somebody traces that.</summary>
internal sealed class HeadOutputs(string name, Linear projection, HeadLayout layout)
{
    /// <summary>The projection.</summary>
    public Linear Projection => projection;

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [name, projection.Name];

    /// <summary>[tokens, heads · head_dim] → [tokens, hidden], in the session's workspace.</summary>
    public Tensor Forward(Tensor context, Session session) =>
        session.Tracer is ActivationTrace trace && trace.Wants(name) ? Forward(context, session, trace) : projection.Forward(context, session);

    /// <summary>The shares' sum takes the projection's place only where an intervention changed one: its bits are others.</summary>
    private Tensor Forward(Tensor context, Session session, ActivationTrace trace)
    {
        Tensor y = session.Workspace.Rent(projection.Name, context.Shape[0], projection.OutFeatures);
        projection.ForwardTo(context, y, session);
        Tensor shares = trace.NewTensor(name, session.Batch.Rows, layout.Heads, session.Batch.Width, projection.OutFeatures);
        for (int head = 0; head < layout.Heads; head++)
            Share(context, head, shares, session);
        if (trace.Tap(shares))
            Sum(shares, y, session.Batch);
        return session.Tap(projection.Name, y);
    }

    /// <summary>The projection of one head, the others being zero, without bias. It works on weights in any format.</summary>
    private void Share(Tensor context, int head, Tensor shares, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        PackedBatch batch = session.Batch;
        Tensor alone = session.Workspace.Rent("head", context.Shape[0], context.Shape[1]);
        Tensor product = session.Workspace.Rent("head_output", context.Shape[0], projection.OutFeatures);
        alone.Span.Clear();
        for (int token = 0; token < batch.Tokens; token++)
            layout.Of(context.Row(token), head).CopyTo(layout.Of(alone.Row(token), head));
        projection.MultiplyTo(alone, product, session);
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                product.Row(token).CopyTo(RowOf(shares, row, head, batch.Columns[token]));
    }

    private void Sum(Tensor shares, Tensor y, PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
        {
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
            {
                Span<float> sum = y.Row(token);
                sum.Clear();
                projection.Bias.CopyTo(sum);
                for (int head = 0; head < layout.Heads; head++)
                {
                    ReadOnlySpan<float> share = RowOf(shares, row, head, batch.Columns[token]);
                    for (int i = 0; i < sum.Length; i++)
                        sum[i] += share[i];
                }
            }
        }
    }

    private Span<float> RowOf(Tensor shares, int row, int head, int column) => shares.Row((row * layout.Heads + head) * shares.Shape[2] + column);
}
