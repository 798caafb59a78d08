using System.Runtime.InteropServices;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>What a row of a batch attends to.</summary>
/// <param name="Keys">[heads of keys, keys, head_dim].</param>
/// <param name="Values">[heads of keys, keys, head_dim].</param>
/// <param name="Columns">Where each key stands in the padded batches, [keys].</param>
/// <param name="Visible">0 hides a key, [keys]; empty: all are visible.</param>
internal sealed record AttendedRow(float[] Keys, float[] Values, int[] Columns, byte[] Visible);

/// <summary>
/// Scores and probabilities of an attention. The attention itself never has them in memory, so they are computed apart from it where somebody wants
/// them; only where an intervention changed them does the output come from them.
/// </summary>
internal sealed class TracedAttention
{
    private readonly string _scores, _probabilities, _heads, _headOutputs, _attentions;
    private readonly int _layer;
    private readonly bool _causal;
    private readonly HeadLayout _layout;

    /// <param name="name">The module path of the attention.</param>
    /// <param name="layer">Its layer.</param>
    /// <param name="layout">Where heads lie in queries and in the output.</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    public TracedAttention(string name, int layer, HeadLayout layout, bool causal)
    {
        (_layer, _layout, _causal, Scale, KeyHeads) = (layer, layout, causal, 1 / MathF.Sqrt(layout.HeadDim), layout.Heads);
        (_scores, _probabilities, _heads, _headOutputs, _attentions) =
            ($"{name}.scores", $"{name}.probabilities", $"{name}.heads", $"{name}.head_outputs", $"attentions.{layer}");
    }

    /// <summary>What multiplies scores; 1 / √head_dim where nobody says otherwise.</summary>
    public float Scale { get; init; }

    /// <summary>Heads of keys and values; as many as queries have where nobody says otherwise.</summary>
    public int KeyHeads { get; init; }

    /// <summary>What is added to scores by distance; null: nothing.</summary>
    public RelativeBias? Bias { get; set; }

    /// <summary>Taps an encoder's attention after it has run: its keys are the row's own.</summary>
    public void Run(FloatTensor query, FloatTensor key, FloatTensor value, FloatTensor context, Session session)
    {
        if (IsWanted(session)) Run(query, context, Attended(key, value, session.Batch), session.Batch.Width, session);
    }

    /// <summary>Taps a decoder's attention after it has run: its keys and values are in the session's cache.</summary>
    public void Run(FloatTensor query, FloatTensor context, Session session)
    {
        if (IsWanted(session))
            Run(query, context, Attended(session), session.Cache!.ColumnsWith(session.Batch), session);
    }

    /// <summary>The output projection of an attention. Whoever traces them gets each head's share of it, without its bias; where an intervention changed
    /// a share, the output is the shares' sum, whose bits are others.</summary>
    public FloatTensor Project(Linear projection, FloatTensor context, Session session) =>
        session.Tracer is ActivationTrace trace && trace.Wants(_headOutputs)
            && HeadShares.Tap(_headOutputs, projection, context, _layout, session, trace) is FloatTensor changed
                ? changed
                : projection.Forward(context, session);

    private Func<int, AttendedRow> Attended(Session session) => row => session.Cache!.Attended(session.Batch, row, _layer);

    private Func<int, AttendedRow> Attended(FloatTensor key, FloatTensor value, PackedBatch batch) => row =>
    {
        (int start, int length) = (batch.RowStart(row), batch.RowLength(row));
        byte[] visible = batch.HasHiddenTokens ? batch.Visible.Slice(start, length).ToArray() : [];
        return new AttendedRow(_layout.Gather(key, start, length), _layout.Gather(value, start, length), batch.Columns.Slice(start, length).ToArray(), visible);
    };

    private bool IsWanted(Session session) =>
        session.Attentions is not null
        || (session.Tracer is ActivationTrace trace && (trace.Wants(_scores) || trace.Wants(_probabilities) || trace.Wants(_heads)));

    /// <summary>
    /// Taps scores, probabilities and heads after the attention has run. Its output context, [tokens, heads · head_dim] as the queries, is overwritten where
    /// an intervention changed something.
    /// </summary>
    private void Run(FloatTensor query, FloatTensor context, Func<int, AttendedRow> attended, int keys, Session session)
    {
        ActivationTrace? trace = session.Tracer;
        if (session.Attentions is not null || trace!.Wants(_scores) || trace.Wants(_probabilities))
        {
            PackedBatch batch = session.Batch;
            AttendedRow[] rows = [.. Enumerable.Range(0, batch.Rows).Select(attended)];
            FloatTensor scores = NewTensor(_scores, keys, session), probabilities = NewTensor(_probabilities, keys, session);
            for (int row = 0; row < rows.Length; row++) Score(query, rows[row], scores, row, session);
            bool changed = trace is not null && trace.Tap(scores);
            for (int row = 0; row < rows.Length; row++) Normalize(scores, rows[row], probabilities, row, session);
            changed |= trace is not null && trace.Tap(probabilities);
            for (int row = 0; changed && row < rows.Length; row++)
                Weigh(probabilities, rows[row], context, row, session);
            session.Attentions?.Add(probabilities.Copy(_attentions));
        }
        trace?.Tap(_heads, context, _layout);
    }

    private FloatTensor NewTensor(string name, int keys, Session session)
    {
        ReadOnlySpan<int> shape = [session.Batch.Rows, _layout.Heads, session.Batch.Width, keys];
        return session.Tracer is ActivationTrace trace ? trace.NewTensor(name, shape) : new FloatTensor(name, shape);
    }

    /// <summary>scores = q · kᵀ · scale + bias; −∞ where the key may not be seen or is padding.</summary>
    private void Score(FloatTensor query, AttendedRow attended, FloatTensor scores, int row, Session session)
    {
        PackedBatch batch = session.Batch;
        (int start, int queries, int keys, int dim) = (batch.RowStart(row), batch.RowLength(row), attended.Columns.Length, _layout.HeadDim);
        float[] q = _layout.Gather(query, start, queries), products = new float[queries * keys];
        for (int head = 0; head < _layout.Heads; head++)
        {
            var k = new WeightMatrix(MemoryMarshal.AsBytes(attended.Keys.AsSpan(KeyHead(head) * keys * dim, keys * dim)), WeightType.F32, keys, dim);
            MatMul.Run(q.AsSpan(head * queries * dim, queries * dim), queries, k, products, default, session.Kernels);
            for (int i = 0; i < queries; i++)
            {
                Span<float> to = RowOf(scores, row, head, batch.Columns[start + i]);
                to.Fill(float.NegativeInfinity);
                int seen = _causal ? keys - queries + i + 1 : keys;
                for (int j = 0; j < seen; j++)
                {
                    if (attended.Visible.Length == 0 || attended.Visible[j] != 0)
                        to[attended.Columns[j]] = products[i * keys + j] * Scale + (Bias?.Of(head, attended.Columns[j] - batch.Columns[start + i]) ?? 0);
                }
            }
        }
    }

    /// <summary>probabilities = softmax(scores) · head mask; a token that sees none attends to all keys equally, as the attention does.</summary>
    private void Normalize(FloatTensor scores, AttendedRow attended, FloatTensor probabilities, int row, Session session)
    {
        PackedBatch batch = session.Batch;
        ReadOnlySpan<float> mask = session.HeadMaskOf(_layer);
        foreach (int column in batch.Columns[batch.RowStart(row)..batch.RowStart(row + 1)])
        {
            for (int head = 0; head < _layout.Heads; head++)
            {
                Span<float> from = RowOf(scores, row, head, column), to = RowOf(probabilities, row, head, column);
                if (from.ContainsAnyExcept(float.NegativeInfinity))
                {
                    Softmax.Run(from, to, session.Kernels);
                }
                else
                {
                    foreach (int key in attended.Columns) to[key] = 1f / attended.Columns.Length;
                }
                for (int j = 0; !mask.IsEmpty && j < to.Length; j++) to[j] *= mask[head];
            }
        }
    }

    /// <summary>context = probabilities · v.</summary>
    private void Weigh(FloatTensor probabilities, AttendedRow attended, FloatTensor context, int row, Session session)
    {
        PackedBatch batch = session.Batch;
        (int start, int queries, int keys, int dim) = (batch.RowStart(row), batch.RowLength(row), attended.Columns.Length, _layout.HeadDim);
        float[] p = new float[queries * keys], turned = new float[dim * keys], mixed = new float[queries * dim];
        for (int head = 0; head < _layout.Heads; head++)
        {
            for (int i = 0; i < queries; i++)
                for (int j = 0; j < keys; j++)
                    p[i * keys + j] = RowOf(probabilities, row, head, batch.Columns[start + i])[attended.Columns[j]];
            for (int j = 0; j < keys; j++)
                for (int d = 0; d < dim; d++)
                    turned[d * keys + j] = attended.Values[(KeyHead(head) * keys + j) * dim + d];
            MatMul.Run(p, queries, new WeightMatrix(MemoryMarshal.AsBytes(turned.AsSpan()), WeightType.F32, dim, keys), mixed, default, session.Kernels);
            for (int i = 0; i < queries; i++)
                mixed.AsSpan(i * dim, dim).CopyTo(_layout.Of(context.Row(start + i), head));
        }
    }

    /// <summary>The head of keys and values that a head reads.</summary>
    private int KeyHead(int head) => head / (_layout.Heads / KeyHeads);

    private Span<float> RowOf(FloatTensor scores, int row, int head, int column) => scores.Row((row * _layout.Heads + head) * scores.Shape[2] + column);
}

/// <summary>Packed rows as heads, and the other way round.</summary>
internal static class HeadTensors
{
    /// <summary>[batch, heads, sequence, head_dim].</summary>
    public static int[] Shape(this HeadLayout layout, PackedBatch batch) => [batch.Rows, layout.Heads, batch.Width, layout.HeadDim];

    /// <summary>Packed rows as [batch, heads, sequence, head_dim]; padding is zero.</summary>
    public static FloatTensor Unpack(this HeadLayout layout, FloatTensor packed, PackedBatch batch, string name)
    {
        var heads = new FloatTensor(name, layout.Shape(batch));
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < layout.Heads; head++)
                    layout.Of(packed.Row(token), head).CopyTo(heads.Row((row * layout.Heads + head) * batch.Width + batch.Columns[token]));
        return heads;
    }

    public static void Pack(this HeadLayout layout, FloatTensor heads, FloatTensor packed, PackedBatch batch)
    {
        for (int row = 0; row < batch.Rows; row++)
            for (int token = batch.RowStart(row); token < batch.RowStart(row + 1); token++)
                for (int head = 0; head < layout.Heads; head++)
                    heads.Row((row * layout.Heads + head) * batch.Width + batch.Columns[token]).CopyTo(layout.Of(packed.Row(token), head));
    }

    /// <summary>The heads of some packed rows one after the other, [heads, count, head_dim].</summary>
    public static float[] Gather(this HeadLayout layout, FloatTensor packed, int first, int count)
    {
        float[] gathered = new float[layout.Heads * count * layout.HeadDim];
        for (int i = 0; i < count; i++)
            for (int head = 0; head < layout.Heads; head++)
                layout.Of(packed.Row(first + i), head).CopyTo(gathered.AsSpan((head * count + i) * layout.HeadDim));
        return gathered;
    }
}
