using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>out_proj(softmax(q · kᵀ / √head_dim) · v) with rotated q and k, each token attending to itself and what is before it.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864 (rotary); Nijkamp et al. 2022, arXiv:2203.13474; transformers CodeGenAttention.</remarks>
internal sealed class CodeGenAttention
{
    private readonly int _layer;
    private readonly int _heads;
    private readonly int _headDim;
    private readonly int _qkvBlocks;
    private readonly HeadOutputs _outProj;
    private readonly RotaryTable _rotary;
    private readonly string _queryName, _keyName, _valueName, _contextName;
    private readonly HeadLayout _queryLayout, _keyLayout, _valueLayout;
    private readonly TracedAttention _traced;

    public CodeGenAttention(CodeGenConfig config, ModelWeights weights, string name, int layer, RotaryTable rotary)
    {
        (_layer, _heads, _headDim, _qkvBlocks, _rotary) = (layer, config.NHead, config.HeadWidth, config.QkvBlocks, rotary);
        QkvProj = new Linear(weights, $"{name}.qkv_proj", config.NEmbd, 3 * config.NEmbd, bias: false);
        // a step formats no strings
        (Name, _queryName, _keyName, _valueName, _contextName) = (name, $"{name}.query", $"{name}.key", $"{name}.value", $"{name}.context");

        int perBlock = _heads / _qkvBlocks, part = perBlock * _headDim;
        _queryLayout = new HeadLayout(_heads, _headDim);
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
            SplitRow(qkv, query, row, session);
        if (session.Tracer is ActivationTrace trace)
            TapHeads(qkv, query, session, trace);
        Tensor context = session.Workspace.Rent(_contextName, tokens, width);
        Attend(query, context, session);
        if (_traced.IsWanted(session))
            Trace(query, context, session);
        return context;
    }

    /// <summary>A row's tokens, one per task; a few are split before another thread has begun.</summary>
    private void SplitRow(Tensor qkv, Tensor query, int row, Session session)
    {
        int tokens = session.Batch.RowLength(row);
        var job = new TokensJob { Attention = this, Qkv = qkv, Query = query, Row = row, Session = session };
        WorkerPool.Shared.Run(tokens, tokens <= MatMul.StreamedRows ? 1 : session.Kernels.MaxThreads, job);
    }

    /// <summary>Takes q, k and v of a row's i-th token out of the fused projection, rotates q and k, and stores k and v in the cache.</summary>
    /// <remarks>The projection lies in blocks of [query | value | key]; the heads of a block are contiguous in it.</remarks>
    private void SplitHeads(Tensor qkv, Tensor query, int row, int i, Session session)
    {
        PackedBatch batch = session.Batch;
        KeyValueCache cache = session.Cache!;
        int slot = batch.Slot(row);
        CachedSequence held = cache.Of(slot);
        int headsPerBlock = _heads / _qkvBlocks;
        int partWidth = headsPerBlock * _headDim;
        int token = batch.RowStart(row) + i;
        int position = batch.Positions[token];
        ReadOnlySpan<float> cos = _rotary.Cos(position);
        ReadOnlySpan<float> sin = _rotary.Sin(position);
        Span<float> source = qkv.Row(token);
        for (int block = 0; block < _qkvBlocks; block++)
        {
            Span<float> q = source.Slice((3 * block + 0) * partWidth, partWidth);
            Span<float> v = source.Slice((3 * block + 1) * partWidth, partWidth);
            Span<float> k = source.Slice((3 * block + 2) * partWidth, partWidth);
            Rotary.Run(q, headsPerBlock, _headDim, cos, sin, session.Kernels);
            Rotary.Run(k, headsPerBlock, _headDim, cos, sin, session.Kernels);
            q.CopyTo(query.Row(token)[(block * partWidth)..]);
            for (int h = 0; h < headsPerBlock; h++)
            {
                int head = block * headsPerBlock + h;
                cache.Write(held.Keys(_layer), head, held.Length + i, k.Slice(h * _headDim, _headDim), session.Kernels);
                cache.Write(held.Values(_layer), head, held.Length + i, v.Slice(h * _headDim, _headDim), session.Kernels);
            }
        }
    }

    /// <summary>Queries and keys after their rotation, and values. Changed ones go to the cache in place of those that are there.</summary>
    private void TapHeads(Tensor qkv, Tensor query, Session session, ActivationTrace trace)
    {
        trace.Tap(_queryName, query, _queryLayout);
        bool keysChanged = trace.Tap(_keyName, qkv, _keyLayout), valuesChanged = trace.Tap(_valueName, qkv, _valueLayout);
        if (!keysChanged && !valuesChanged)
            return;
        (PackedBatch batch, KeyValueCache cache) = (session.Batch, session.Cache!);
        for (int row = 0; row < batch.Rows; row++)
        {
            CachedSequence held = cache.Of(batch.Slot(row));
            for (int i = 0; i < batch.RowLength(row); i++)
            {
                Span<float> source = qkv.Row(batch.RowStart(row) + i);
                for (int head = 0; head < _heads; head++)
                {
                    cache.Write(held.Keys(_layer), head, held.Length + i, _keyLayout.Of(source, head), session.Kernels);
                    cache.Write(held.Values(_layer), head, held.Length + i, _valueLayout.Of(source, head), session.Kernels);
                }
            }
        }
    }

    private void Trace(Tensor query, Tensor context, Session session) =>
        _traced.Run(query, context, row => session.Cache!.Attended(session.Batch, row, _layer), session.Cache!.ColumnsWith(session.Batch), session);

    private void Attend(Tensor query, Tensor context, Session session)
    {
        PackedBatch batch = session.Batch;
        if (batch.Rows > 1 && batch.Tokens <= MatMul.StreamedRows)
        {
            // Few rows with few tokens each: threads share the rows, which takes one meeting instead of one per row.
            var rows = new RowsJob { Attention = this, Query = query, Context = context, Session = session };
            WorkerPool.Shared.Run(batch.Rows, session.Kernels.MaxThreads, rows);
        }
        else
        {
            for (int row = 0; row < batch.Rows; row++)
                Attend(row, query, context, session, session.Kernels);
        }
    }

    private void Attend(int row, Tensor query, Tensor context, Session session, KernelOptions kernels)
    {
        PackedBatch batch = session.Batch;
        KeyValueCache cache = session.Cache!;
        int width = _heads * _headDim;
        (int slot, int start, int queries) = (batch.Slot(row), batch.RowStart(row) * width, batch.RowLength(row));
        if (queries == 0)
            return;
        CachedSequence held = cache.Of(slot);
        int keys = held.Length + queries;
        var arguments = new AttentionArguments
        {
            Heads = _heads,
            HeadDim = _headDim,
            Queries = queries,
            Keys = keys,
            Scale = 1 / MathF.Sqrt(_headDim),
            Causal = true,
            Q = query.Span.Slice(start, queries * width),
            QTokenStride = width,
            QHeadStride = _headDim,
            K = new StoredSpan(held.Keys(_layer), cache.Type),
            KTokenStride = _headDim,
            KHeadStride = cache.MaxLength * _headDim,
            V = new StoredSpan(held.Values(_layer), cache.Type),
            VTokenStride = _headDim,
            VHeadStride = cache.MaxLength * _headDim,
            KeyMask = cache.KeyMask(slot, keys),
            HeadMask = session.HeadMaskOf(_layer),
            Output = context.Span.Slice(start, queries * width),
        };
        Attention.Run(arguments, kernels);
    }

    /// <summary>One token of a row per task.</summary>
    private struct TokensJob : IJob
    {
        public CodeGenAttention Attention;
        public Tensor Qkv, Query;
        public int Row;
        public Session Session;

        public readonly void Execute(int task) => Attention.SplitHeads(Qkv, Query, Row, task, Session);
    }

    /// <summary>One row of a batch per task.</summary>
    private struct RowsJob : IJob
    {
        public CodeGenAttention Attention;
        public Tensor Query, Context;
        public Session Session;

        public readonly void Execute(int task) => Attention.Attend(task, Query, Context, Session, Session.OneThread);
    }
}
