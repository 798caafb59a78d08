using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>softmax(q · kᵀ / √head_dim) · v, every token attending to every token of its row.</summary>
/// <remarks>Vaswani et al. 2017, arXiv:1706.03762, section 3.2; transformers BertSelfAttention and DistilBERT's MultiHeadSelfAttention before its
/// out_lin.</remarks>
public sealed class SelfAttention
{
    private readonly int _layer, _heads, _headDim;
    private readonly Linear _query, _key, _value;
    private readonly string _name;

    /// <param name="config">Heads, and their width.</param>
    /// <param name="name">The module path below which its insides are traced.</param>
    /// <param name="layer">Its layer.</param>
    /// <param name="query">hidden → queries of all heads.</param>
    /// <param name="key">hidden → keys of all heads.</param>
    /// <param name="value">hidden → values of all heads.</param>
    public SelfAttention(PretrainedConfig config, string name, int layer, Linear query, Linear key, Linear value)
    {
        ArgumentNullException.ThrowIfNull(config);
        (_layer, _heads, _headDim, _name) = (layer, config.Heads, config.HeadWidth, name);
        (_query, _key, _value) = (query, key, value);
        Traced = new TracedAttention(name, layer, new HeadLayout(_heads, _headDim), causal: false);
    }

    /// <summary>Its insides, for whoever traces them.</summary>
    internal TracedAttention Traced { get; }

    /// <summary>[tokens, hidden] → [tokens, heads · head_dim].</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        (Tensor query, Tensor key, Tensor value) = Linear.Forward(_query, _key, _value, x, session);      // [tokens, heads · head_dim]
        Tensor context = session.Workspace.Rent(_name, x.Shape[0], _heads * _headDim);
        for (int row = 0; row < session.Batch.Rows; row++)
            Attend(row, query, key, value, context, session);
        Traced.Run(query, key, value, context, session);
        return context;
    }

    /// <summary>The output projection, with each head's share of it for whoever traces that: [tokens, heads · head_dim] → [tokens, hidden].</summary>
    /// <param name="projection">heads · head_dim → hidden.</param>
    /// <param name="context">What <see cref="Forward"/> gave.</param>
    /// <param name="session">The running session.</param>
    public Tensor Project(Linear projection, Tensor context, Session session)
    {
        ArgumentNullException.ThrowIfNull(projection);
        return Traced.Project(projection, context, session);
    }

    private void Attend(int row, Tensor query, Tensor key, Tensor value, Tensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        int width = _heads * _headDim;
        (int start, int length) = (batch.RowStart(row) * width, batch.RowLength(row));
        var arguments = new AttentionArguments
        {
            Heads = _heads,
            HeadDim = _headDim,
            Queries = length,
            Keys = length,
            Scale = 1 / MathF.Sqrt(_headDim),
            Q = query.Span.Slice(start, length * width),
            QTokenStride = width,
            QHeadStride = _headDim,
            K = key.Span.Slice(start, length * width),
            KTokenStride = width,
            KHeadStride = _headDim,
            V = value.Span.Slice(start, length * width),
            VTokenStride = width,
            VHeadStride = _headDim,
            KeyMask = batch.HasHiddenTokens ? batch.Visible.Slice(batch.RowStart(row), length) : [],
            HeadMask = session.HeadMaskOf(_layer),
            Output = context.Span.Slice(start, length * width),
        };
        Attention.Run(arguments, session.Kernels);
    }
}
