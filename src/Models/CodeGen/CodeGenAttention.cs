using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>out_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k, each token attending to itself and what is before it.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); Nijkamp et al. 2022, arXiv:2203.13474; transformers CodeGenAttention.</remarks>
internal sealed class CodeGenAttention
{
    private readonly int _layer;
    private readonly int _heads;
    private readonly int _headDim;
    private readonly HeadOutputs _outProj;
    private readonly RotaryTable _rotary;
    private readonly string _queryName, _keyName, _valueName, _contextName;
    private readonly HeadLayout _fusedQueryLayout, _keyLayout, _valueLayout;    // in a row of the fused projection: blocks of [query | value | key]
    private readonly HeadLayout _queryLayout;
    private readonly TracedAttention _traced;

    public CodeGenAttention(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryTable rotary)
    {
        (_layer, _heads, _headDim, _rotary) = (layer, config.NHead, config.HeadWidth, rotary);
        QkvProj = new Linear(weights, $"{name}.qkv_proj", config.NEmbd, 3 * config.NEmbd, bias: false);
        // a step formats no strings
        (Name, _queryName, _keyName, _valueName, _contextName) = (name, $"{name}.query", $"{name}.key", $"{name}.value", $"{name}.context");

        int perBlock = _heads / config.QkvBlocks, part = perBlock * _headDim;
        _queryLayout = new HeadLayout(_heads, _headDim);
        _fusedQueryLayout = new HeadLayout(_heads, _headDim, 0, perBlock, 3 * part);
        _valueLayout = new HeadLayout(_heads, _headDim, part, perBlock, 3 * part);
        _keyLayout = new HeadLayout(_heads, _headDim, 2 * part, perBlock, 3 * part);
        _traced = new TracedAttention(name, layer, _queryLayout, causal: true);
        var outProj = new Linear(weights, $"{name}.out_proj", config.NEmbd, config.NEmbd, bias: false);
        _outProj = new HeadOutputs($"{name}.head_outputs", outProj, _queryLayout);
    }

    /// <summary>The layer before the heads: n_embd → query, value and key of all heads.</summary>
    public Linear QkvProj { get; }

    /// <summary>The layer after them.</summary>
    public Linear OutProj => _outProj.Projection;

    /// <summary>The Hugging Face module path.</summary>
    public string Name { get; }

    /// <summary>The names of what it taps, in order.</summary>
    public IEnumerable<string> ActivationNames => [QkvProj.Name, _queryName, _keyName, _valueName, .. _traced.ActivationNames, .. _outProj.ActivationNames, Name];

    /// <summary>[tokens, n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public Tensor Forward(Tensor x, Session session)
    {
        Tensor qkv = QkvProj.Forward(x, session);                                     // [tokens, 3 · n_embd]
        return session.Tap(Name, _outProj.Forward(ForwardHeads(qkv, session), session));
    }

    /// <summary>What is between the two layers: [tokens, 3 · n_embd] → [tokens, n_embd]; appends keys and values to the session's cache.</summary>
    public Tensor ForwardHeads(Tensor qkv, Session session)
    {
        (int tokens, int width) = (qkv.Shape[0], _heads * _headDim);
        Tensor query = session.Workspace.Rent(_queryName, tokens, width);         // [tokens, heads · head_dim]
        for (int row = 0; row < session.Batch.Rows; row++)
            SplitHeads.Run(Split(qkv, query, row, session), session.Kernels);
        if (session.Tracer is ActivationTrace trace)
            TapHeads(qkv, query, session, trace);
        Tensor context = session.Workspace.Rent(_contextName, tokens, width);
        Attend(query, context, session);
        if (_traced.IsWanted(session))
            Trace(query, context, session);
        return context;
    }

    /// <summary>Takes q, k and v of a row's tokens out of the fused projection, rotates q and k, and stores k and v in the cache.</summary>
    private SplitHeadsArguments Split(Tensor qkv, Tensor query, int row, Session session)
    {
        (PackedBatch batch, KeyValueCache cache) = (session.Batch, session.Cache!);
        CachedSequence held = cache.Of(batch.Slot(row));
        (int start, int tokens, int width) = (batch.RowStart(row), batch.RowLength(row), _heads * _headDim);
        return new SplitHeadsArguments
        {
            Tokens = tokens,
            Width = 3 * width,
            X = qkv.Span.Slice(start * 3 * width, tokens * 3 * width),
            QueryLayout = _fusedQueryLayout,
            KeyLayout = _keyLayout,
            ValueLayout = _valueLayout,
            Rotary = _rotary,
            Positions = batch.Positions.Slice(start, tokens),
            Q = query.Span.Slice(start * width, tokens * width),
            K = held.Keys(_layer),
            V = held.Values(_layer),
            Type = cache.Type,
            MaxLength = cache.MaxLength,
            Past = held.Length,
        };
    }

    /// <summary>Queries and keys after their rotation, and values. Changed ones go to the cache in place of those that are there.</summary>
    private void TapHeads(Tensor qkv, Tensor query, Session session, ActivationTrace trace)
    {
        trace.Tap(_queryName, query, _queryLayout);
        bool keysChanged = trace.Tap(_keyName, qkv, _keyLayout), valuesChanged = trace.Tap(_valueName, qkv, _valueLayout);
        if (!keysChanged && !valuesChanged)
            return;
        for (int row = 0; row < session.Batch.Rows; row++)
        {
            SplitHeadsArguments changed = Split(qkv, query, row, session);
            changed.QueryLayout = new HeadLayout(0, _headDim);
            changed.Q = [];
            changed.Rotary = null;                                                    // keys are turned already
            SplitHeads.Run(changed, session.Kernels);
        }
    }

    private void Trace(Tensor query, Tensor context, Session session) =>
        _traced.Run(query, context, row => session.Cache!.Attended(session.Batch, row, _layer), session.Cache!.ColumnsWith(session.Batch), session);

    private void Attend(Tensor query, Tensor context, Session session) =>
        Attention.Run(session.Batch.Rows, new AttendedRows(this, query, context, session), session.Kernels);

    /// <summary>What each row of the batch attends to: its sequence's keys and values in the cache.</summary>
    private readonly struct AttendedRows(CodeGenAttention layer, Tensor query, Tensor context, Session session) : IAttentionRows
    {
        public AttentionArguments Row(int row)
        {
            (PackedBatch batch, KeyValueCache cache) = (session.Batch, session.Cache!);
            (int heads, int headDim, int width) = (layer._heads, layer._headDim, layer._heads * layer._headDim);
            (int slot, int start, int queries) = (batch.Slot(row), batch.RowStart(row) * width, batch.RowLength(row));
            CachedSequence held = cache.Of(slot);
            int keys = held.Length + queries;
            return new AttentionArguments
            {
                Heads = heads,
                HeadDim = headDim,
                Queries = queries,
                Keys = keys,
                Scale = 1 / MathF.Sqrt(headDim),
                Causal = true,
                Q = query.Span.Slice(start, queries * width),
                QTokenStride = width,
                QHeadStride = headDim,
                K = new StoredSpan(held.Keys(layer._layer), cache.Type),
                KTokenStride = headDim,
                KHeadStride = cache.MaxLength * headDim,
                V = new StoredSpan(held.Values(layer._layer), cache.Type),
                VTokenStride = headDim,
                VHeadStride = cache.MaxLength * headDim,
                KeyMask = cache.KeyMask(slot, keys),
                HeadMask = session.HeadMaskOf(layer._layer),
                Output = context.Span.Slice(start, queries * width),
            };
        }
    }
}
