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

    /// <summary>What is added to scores by distance; null: nothing.</summary>
    internal RelativeBias? Bias { get => Traced.Bias; init => Traced.Bias = value; }

    /// <summary>[tokens, hidden] → [tokens, heads · head_dim].</summary>
    public FloatTensor Forward(FloatTensor x, Session session)
    {
        (FloatTensor query, FloatTensor key, FloatTensor value) = Linear.Forward(_query, _key, _value, x, session);      // [tokens, heads · head_dim]
        FloatTensor context = session.Workspace.Rent(_name, x.Shape[0], _heads * _headDim);
        for (int row = 0; row < session.Batch.Rows; row++)
            Attend(row, query, key, value, context, session);
        Traced.Run(query, key, value, context, session);
        return context;
    }

    /// <summary>The output projection, with each head's share of it for whoever traces that: [tokens, heads · head_dim] → [tokens, hidden].</summary>
    /// <param name="projection">heads · head_dim → hidden.</param>
    /// <param name="context">What <see cref="Forward"/> gave.</param>
    /// <param name="session">The running session.</param>
    public FloatTensor Project(Linear projection, FloatTensor context, Session session)
    {
        ArgumentNullException.ThrowIfNull(projection);
        return Traced.Project(projection, context, session);
    }

    private void Attend(int row, FloatTensor query, FloatTensor key, FloatTensor value, FloatTensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        int width = _heads * _headDim;
        (int start, int length) = (batch.RowStart(row) * width, batch.RowLength(row));
        ReadOnlySpan<int> columns = batch.Columns.Slice(batch.RowStart(row), length);
        bool hasGaps = length > 0 && columns[^1] - columns[0] != length - 1;                  // hidden tokens were left out between others
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
            Bias = Bias is null ? [] : Bias.Table,
            Places = Bias is not null && hasGaps ? columns : [],
            Output = context.Span.Slice(start, length * width),
        };
        Attention.Run(arguments, session.Kernels);
    }
}

/// <summary>softmax(q · kᵀ · scale) · v, each token attending to itself and what is before it in its sequence.</summary>
/// <remarks>Vaswani et al. 2017, arXiv:1706.03762, section 3.2, with rotated q and k (Su et al. 2021, arXiv:2104.09864), and heads that share keys and
/// values (Ainslie et al. 2023, arXiv:2305.13245; Shazeer 2019, arXiv:1911.02150). Keys and values are in the session's cache.</remarks>
internal sealed class CausalSelfAttention
{
    private readonly int _layer, _heads, _headDim;
    private readonly HeadLayout _queries, _keys, _values;
    private readonly RotaryEmbedding? _rotary;
    private readonly float _scale;
    private readonly string _queryName, _keyName, _valueName, _contextName;

    /// <param name="config">Heads, and their width.</param>
    /// <param name="name">The module path below which its insides are traced.</param>
    /// <param name="layer">Its layer.</param>
    /// <param name="queries">Where the queries are in a row of their projection.</param>
    /// <param name="keys">Where the keys are; they may have fewer heads.</param>
    /// <param name="values">Where the values are.</param>
    /// <param name="rotary">The angles by which queries and keys turn; null: none.</param>
    /// <param name="scale">What multiplies scores; null: 1 / √head_dim.</param>
    public CausalSelfAttention(PretrainedConfig config, string name, int layer, HeadLayout queries, HeadLayout keys, HeadLayout values,
        RotaryEmbedding? rotary, float? scale = null)
    {
        (_layer, _heads, _headDim, _scale) = (layer, config.Heads, config.HeadWidth, scale ?? 1 / MathF.Sqrt(config.HeadWidth));
        (_queries, _keys, _values, _rotary) = (queries, keys, values, rotary);
        (_queryName, _keyName, _valueName, _contextName) = ($"{name}.query", $"{name}.key", $"{name}.value", $"{name}.context");
        Traced = new TracedAttention(name, layer, new HeadLayout(_heads, _headDim), causal: true) { Scale = _scale, KeyHeads = keys.Heads };
    }

    /// <summary>Attention whose queries, keys and values have projections of their own.</summary>
    /// <inheritdoc cref="CausalSelfAttention(PretrainedConfig, string, int, HeadLayout, HeadLayout, HeadLayout, RotaryEmbedding?, float?)"/>
    public CausalSelfAttention(PretrainedConfig config, string name, int layer, RotaryEmbedding? rotary)
        : this(config, name, layer, new HeadLayout(config.Heads, config.HeadWidth), new HeadLayout(config.KeyValueHeads, config.HeadWidth),
            new HeadLayout(config.KeyValueHeads, config.HeadWidth), rotary)
    {
    }

    /// <summary>Its insides, for whoever traces them.</summary>
    public TracedAttention Traced { get; }

    /// <summary>The same from one projection of queries, keys and values, [tokens, fused].</summary>
    /// <inheritdoc cref="Forward(FloatTensor, FloatTensor, FloatTensor, Session)"/>
    public FloatTensor Forward(FloatTensor qkv, Session session) => Forward(qkv, qkv, qkv, session);

    /// <summary>[tokens, …] → [tokens, heads · head_dim]; turns queries and keys in place, and appends keys and values to the session's cache.</summary>
    public FloatTensor Forward(FloatTensor queries, FloatTensor keys, FloatTensor values, Session session)
    {
        (int tokens, int width) = (queries.Shape[0], _heads * _headDim);
        var projected = new Projections(queries, keys, values);
        FloatTensor query = queries.Shape[1] == width ? queries : session.Workspace.Rent(_queryName, tokens, width);   // [tokens, heads · head_dim]
        for (int row = 0; row < session.Batch.Rows; row++)
            Split(projected, query, row, _rotary?.For(session, row), session);           // q and k rotated; k and v → cache
        session.Tracer?.TapHeads(this, projected, query);
        FloatTensor context = session.Workspace.Rent(_contextName, tokens, width);
        Attention.Run(session.Batch.Rows, new CachedRows(this, query, context, session), session.Kernels);
        Traced.Run(query, context, session);
        return context;
    }

    /// <summary>Queries and keys after their rotation, and values. Changed ones go to the cache in place of those that are there.</summary>
    public void Tap(in Projections projected, FloatTensor query, ActivationTrace trace, Session session)
    {
        trace.Tap(_queryName, query, new HeadLayout(_heads, _headDim));
        bool keysChanged = trace.Tap(_keyName, projected.Key, _keys), valuesChanged = trace.Tap(_valueName, projected.Value, _values);
        for (int row = 0; (keysChanged || valuesChanged) && row < session.Batch.Rows; row++)
            Split(projected, query, row, rotary: null, session, keepQuery: true);        // keys are turned already
    }

    // Queries, keys and values of a row's tokens, page by page.
    private void Split(in Projections projected, FloatTensor query, int row, RotaryTable? rotary, Session session, bool keepQuery = false)
    {
        (PackedBatch batch, CachedSequence held) = (session.Batch, session.Cache!.Of(session.Batch.Slot(row)));
        for (int done = 0; done < batch.RowLength(row);)
        {
            int token = held.Length + done, inPage = token % KeyValuePages.Tokens;
            int tokens = Math.Min(KeyValuePages.Tokens - inPage, batch.RowLength(row) - done), start = batch.RowStart(row) + done;
            KeyValuePage page = held.PageOf(token);
            SplitHeads.Run(
                new SplitHeadsArguments
                {
                    Tokens = tokens,
                    Query = keepQuery ? new ProjectedHeads([], width: 0, new HeadLayout(0, _headDim)) : Projected(projected.Query, _queries),
                    Key = Projected(projected.Key, _keys),
                    Value = Projected(projected.Value, _values),
                    Rotary = rotary,
                    Positions = batch.Positions.Slice(start, tokens),
                    Q = keepQuery ? [] : query.Span.Slice(start * query.Shape[1], tokens * query.Shape[1]),
                    K = page.Layer(_layer, KeyOrValue.Key),
                    V = page.Layer(_layer, KeyOrValue.Value),
                    Type = session.Cache.Type,
                    MaxLength = KeyValuePages.Tokens,
                    Past = inPage,
                }, session.Kernels);
            done += tokens;

            ProjectedHeads Projected(FloatTensor x, HeadLayout layout) => new(x.Span.Slice(start * x.Shape[1], tokens * x.Shape[1]), x.Shape[1], layout);
        }
    }

    /// <summary>What each row of the batch attends to: its sequence's keys and values in the cache.</summary>
    private readonly struct CachedRows(CausalSelfAttention attention, FloatTensor query, FloatTensor context, Session session) : IAttentionRows
    {
        public AttentionArguments Row(int row)
        {
            (PackedBatch batch, KeyValueCache cache) = (session.Batch, session.Cache!);
            (int layer, int headDim, int width) = (attention._layer, attention._headDim, query.Shape[1]);
            (int slot, int start, int queries) = (batch.Slot(row), batch.RowStart(row) * width, batch.RowLength(row));
            CachedSequence held = cache.Of(slot);
            int keys = held.Length + queries;
            return new AttentionArguments
            {
                Heads = attention._heads,
                KeyHeads = attention._keys.Heads,
                HeadDim = headDim,
                Queries = queries,
                Keys = keys,
                Scale = attention._scale,
                Causal = true,
                Q = query.Span.Slice(start, queries * width),
                QTokenStride = width,
                QHeadStride = headDim,
                Pages = held.Addresses,
                PageTokens = KeyValuePages.Tokens,
                PageType = cache.Type,
                KOffset = cache.PageOffset(layer, KeyOrValue.Key),
                KTokenStride = headDim,
                KHeadStride = KeyValuePages.Tokens * headDim,
                VOffset = cache.PageOffset(layer, KeyOrValue.Value),
                VTokenStride = headDim,
                VHeadStride = KeyValuePages.Tokens * headDim,
                KeyMask = cache.KeyMask(slot, keys),
                HeadMask = session.HeadMaskOf(layer),
                Output = context.Span.Slice(start, queries * width),
            };
        }
    }
}

/// <summary>Queries, keys and values as layers projected them: three tensors, or one thrice.</summary>
/// <param name="Query">[tokens, …].</param>
/// <param name="Key">[tokens, …].</param>
/// <param name="Value">[tokens, …].</param>
internal readonly record struct Projections(FloatTensor Query, FloatTensor Key, FloatTensor Value);
