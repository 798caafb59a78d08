using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>LayerNorm(x + dense(softmax(q · kᵀ / √head_dim) · v)), every token attending to every token of its row.</summary>
/// <remarks>Vaswani et al. 2017, arXiv:1706.03762, section 3.2; transformers BertAttention (self and output).</remarks>
internal sealed class BertAttention
{
    private readonly int _layer;
    private readonly int _heads;
    private readonly int _headDim;
    private readonly Linear _query;
    private readonly Linear _key;
    private readonly Linear _value;
    private readonly HeadOutputs _dense;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name, _selfName, _outputName;
    private readonly HeadLayout _layout;
    private readonly TracedAttention _traced;

    public BertAttention(BertConfig config, ModelWeights weights, string name, int layer)
    {
        int hidden = config.HiddenSize;
        (_layer, _heads, _headDim) = (layer, config.NumAttentionHeads, hidden / config.NumAttentionHeads);
        (_name, _selfName, _outputName) = (name, $"{name}.self", $"{name}.output");
        _layout = new HeadLayout(_heads, _headDim);
        _traced = new TracedAttention(_selfName, layer, _layout, causal: false);
        _query = new Linear(weights, $"{name}.self.query", hidden, hidden);
        _key = new Linear(weights, $"{name}.self.key", hidden, hidden);
        _value = new Linear(weights, $"{name}.self.value", hidden, hidden);
        _dense = new HeadOutputs($"{name}.self.head_outputs", new Linear(weights, $"{name}.output.dense", hidden, hidden), _layout);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", hidden, config.LayerNormEps);
    }

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [_query.Name, _key.Name, _value.Name, .. _traced.ActivationNames, _selfName, .. _dense.ActivationNames, _outputName, _name];

    /// <summary>x ← LayerNorm(x + attention(x)), [tokens, hidden].</summary>
    public void Forward(Tensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        (Tensor query, Tensor key, Tensor value) = Linear.Forward(_query, _key, _value, x, session);      // [tokens, hidden]: heads side by side
        Tensor context = session.Workspace.Rent(_selfName, x.Shape[0], x.Shape[1]);
        Attend(query, key, value, context, session);
        if (_traced.IsWanted(session))
            Trace(query, key, value, context, session);
        session.Tap(_selfName, context);

        Tensor attention = _dense.Forward(context, session);
        _layerNorm.ForwardTo(x, attention, x, session);                                                   // x ← LayerNorm(x + attention)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }

    private void Trace(Tensor query, Tensor key, Tensor value, Tensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        _traced.Run(query, context, Attended, batch.Width, session);

        AttendedRow Attended(int row)
        {
            (int start, int length) = (batch.RowStart(row), batch.RowLength(row));
            byte[] visible = batch.HasHiddenTokens ? batch.Visible.Slice(start, length).ToArray() : [];
            return new AttendedRow(_layout.Gather(key, start, length), _layout.Gather(value, start, length), batch.Columns.Slice(start, length).ToArray(), visible);
        }
    }

    private void Attend(Tensor query, Tensor key, Tensor value, Tensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        int hidden = _heads * _headDim;
        for (int row = 0; row < batch.Rows; row++)
        {
            (int start, int length) = (batch.RowStart(row) * hidden, batch.RowLength(row));
            var arguments = new AttentionArguments
            {
                Heads = _heads,
                HeadDim = _headDim,
                Queries = length,
                Keys = length,
                Scale = 1 / MathF.Sqrt(_headDim),
                Q = query.Span.Slice(start, length * hidden),
                QTokenStride = hidden,
                QHeadStride = _headDim,
                K = key.Span.Slice(start, length * hidden),
                KTokenStride = hidden,
                KHeadStride = _headDim,
                V = value.Span.Slice(start, length * hidden),
                VTokenStride = hidden,
                VHeadStride = _headDim,
                KeyMask = batch.HasHiddenTokens ? batch.Visible.Slice(batch.RowStart(row), length) : [],
                HeadMask = session.HeadMaskOf(_layer),
                Output = context.Span.Slice(start, length * hidden),
            };
            Attention.Run(arguments, session.Kernels);
        }
    }
}
