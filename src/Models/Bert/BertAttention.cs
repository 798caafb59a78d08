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
    private readonly Linear _dense;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name;

    public BertAttention(BertConfig config, ModelWeights weights, string name, int layer)
    {
        int hidden = config.HiddenSize;
        (_layer, _heads, _headDim, _name) = (layer, config.NumAttentionHeads, hidden / config.NumAttentionHeads, name);
        _query = new Linear(weights, $"{name}.self.query", hidden, hidden);
        _key = new Linear(weights, $"{name}.self.key", hidden, hidden);
        _value = new Linear(weights, $"{name}.self.value", hidden, hidden);
        _dense = new Linear(weights, $"{name}.output.dense", hidden, hidden);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", hidden, config.LayerNormEps);
    }

    /// <summary>x ← LayerNorm(x + attention(x)), [tokens, hidden].</summary>
    public void Forward(Tensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        (Tensor query, Tensor key, Tensor value) = Linear.Forward(_query, _key, _value, x, session);      // [tokens, hidden]: heads side by side
        Tensor context = session.Workspace.Rent($"{_name}.self", x.Shape[0], x.Shape[1]);
        Attend(query, key, value, context, session);
        session.Tap($"{_name}.self", context);

        Tensor attention = _dense.Forward(context, session);
        Add.Run(x.Span, attention.Span, x.Span, session.Kernels);
        _layerNorm.ForwardTo(x, x, session);
        session.Tap(_name, x);
    }

    private void Attend(Tensor query, Tensor key, Tensor value, Tensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        int hidden = _heads * _headDim;
        Tensor? probabilities = session.Attentions is null ? null : new Tensor($"attentions.{_layer}", batch.Rows, _heads, batch.Width, batch.Width);
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
                // Asking for attentions computes padding too, so a row is as wide as the batch.
                Probabilities = probabilities is null ? [] : probabilities.Span.Slice(row * _heads * length * length, _heads * length * length),
            };
            Attention.Run(arguments, session.Kernels);
        }
        if (probabilities is not null)
            session.Attentions!.Add(probabilities);
    }
}
