using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>MPNet without a head: embeddings, layers that share a bias by the distance of two tokens, and, where the checkpoint has it, the pooler.</summary>
/// <remarks>Song et al. 2020, arXiv:2004.09297; transformers MPNetModel.</remarks>
internal sealed class MPNetModel : EncoderModel
{
    private const string Embeddings = "mpnet.embeddings", Layer = "mpnet.encoder.layer", Pooler = "mpnet.pooler";

    private readonly EmbeddingTable _positions;
    private readonly LayerNormalization _layerNorm;
    private readonly MPNetLayer[] _layers;
    private readonly Linear? _pooler;

    internal MPNetModel(MPNetConfig config, ModelSource source, bool pooler = false) : base(config, source)
    {
        (ModelWeights weights, int hidden) = (source.Weights, config.HiddenSize);
        Words = new EmbeddingTable(weights, $"{Embeddings}.word_embeddings", config.VocabSize, hidden, config.PaddingIdx);
        _positions = new EmbeddingTable(weights, $"{Embeddings}.position_embeddings", config.MaxPositionEmbeddings, hidden, config.PaddingIdx);
        _layerNorm = new LayerNormalization(weights, $"{Embeddings}.LayerNorm", hidden, config.LayerNormEps);
        RelativeBias bias = ReadBias(config, weights);
        _layers = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new MPNetLayer(config, weights, $"{Layer}.{i}", i, bias))];
        if (pooler && weights.Has($"{Pooler}.dense.weight"))
            _pooler = new Linear(weights, $"{Pooler}.dense", hidden, hidden);
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(Embeddings, $"{Layer}.*", $"{Layer}.*.attention.attn", $"{Layer}.*.output.dense")
    {
        TransformerLens = new Dictionary<string, string>
        {
            ["hook_full_embed"] = Embeddings,
            ["blocks.*.attn.hook_q"] = $"{Layer}.*.attention.attn.q",
            ["blocks.*.attn.hook_k"] = $"{Layer}.*.attention.attn.k",
            ["blocks.*.attn.hook_v"] = $"{Layer}.*.attention.attn.v",
            ["blocks.*.hook_attn_out"] = $"{Layer}.*.attention.attn",
            ["blocks.*.mlp.hook_pre"] = $"{Layer}.*.intermediate.dense",
            ["blocks.*.mlp.hook_post"] = $"{Layer}.*.intermediate",
            ["blocks.*.hook_normalized_resid_post"] = $"{Layer}.*",
        },
    };

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <inheritdoc/>
    public override bool HasPooler => _pooler is not null;

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = Words.Forward(Embeddings, session);                       // [tokens, hidden]
        _positions.Add(session.Batch.Positions, x, session);
        _layerNorm.ForwardTo(x, x, session);
        session.Tap(Embeddings, x);
        session.KeepHiddenState(x);
        foreach (MPNetLayer layer in _layers)
        {
            layer.Forward(x, session);
            session.KeepHiddenState(x);
        }
        return x;
    }

    /// <inheritdoc/>
    public override FloatTensor Pool(FloatTensor x, Session session) =>
        session.Tap(Pooler, _pooler!.Forward(SelectedRows.First(x, session), session, ActivationFunction.Tanh));

    /// <summary>The bucket of a key that stands <paramref name="distance"/> tokens after the query: 0 … 15 for keys before it and itself, 16 … 31 for those
    /// after it; each of the nearest 8 distances has its own, farther ones share, and 91 and beyond are one.</summary>
    /// <remarks>transformers MPNetEncoder.relative_position_bucket (T5's, with 32 buckets up to distance 128).</remarks>
    internal static int Bucket(int distance)
    {
        const int OneWay = MPNetConfig.Buckets / 2, Exact = OneWay / 2, Far = 128;
        int first = distance > 0 ? OneWay : 0, n = Math.Abs(distance);
        if (n < Exact)
            return first + n;
        // In float32, cut to an integer, as transformers has it.
        float far = MathF.Log((float)n / Exact) / (float)Math.Log(Far / Exact) * (OneWay - Exact);
        return first + Math.Min(Exact + (int)far, OneWay - 1);
    }

    private static RelativeBias ReadBias(MPNetConfig config, ModelWeights weights)
    {
        const string Name = "mpnet.encoder.relative_attention_bias";
        Matrix table = new EmbeddingTable(weights, Name, config.RelativeAttentionNumBuckets, config.NumAttentionHeads).Matrix;
        // A misshapen table is reported once all weights were read.
        float[] values = !table.Weight.IsMeta && table.Weight.ElementCount == (long)table.N * table.K ? table.Weight.ToSingle() : new float[table.N * table.K];
        return new RelativeBias(config.NumAttentionHeads, config.MaxPositionEmbeddings, (head, distance) => values[(Bucket(distance) * table.K) + head]);
    }
}

/// <summary>x ← attention.LayerNorm(x + attn(x)); x ← output.LayerNorm(x + dense(act(dense(x)))).</summary>
/// <remarks>Song et al. 2020; transformers MPNetLayer, MPNetAttention and MPNetSelfAttention.</remarks>
internal sealed class MPNetLayer
{
    private readonly SelfAttention _attn;
    private readonly Linear _o;
    private readonly LayerNormalization _attentionNorm, _outputNorm;
    private readonly FeedForwardBlock _feedForward;
    private readonly string _name, _attnName, _attentionName, _outputName;

    public MPNetLayer(MPNetConfig config, ModelWeights weights, string name, int layer, RelativeBias bias)
    {
        int hidden = config.HiddenSize;
        (_name, _attentionName, _attnName, _outputName) = (name, $"{name}.attention", $"{name}.attention.attn", $"{name}.output");
        _attn = new SelfAttention(config, _attnName, layer, Projection("q"), Projection("k"), Projection("v")) { Bias = bias };
        _o = Projection("o");
        _attentionNorm = new LayerNormalization(weights, $"{_attentionName}.LayerNorm", hidden, config.LayerNormEps);
        var intermediate = new Linear(weights, $"{name}.intermediate.dense", hidden, config.IntermediateSize);
        var output = new Linear(weights, $"{name}.output.dense", config.IntermediateSize, hidden);
        _feedForward = new FeedForwardBlock(intermediate, config.Activation, $"{name}.intermediate", output);
        _outputNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", hidden, config.LayerNormEps);

        Linear Projection(string part) => new(weights, $"{_attnName}.{part}", hidden, hidden);
    }

    /// <summary>One layer, in place: [tokens, hidden].</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor context = _attn.Forward(x, session);                                         // [tokens, hidden]
        FloatTensor attention = session.Tap(_attnName, _attn.Project(_o, context, session));     // [tokens, hidden]
        _attentionNorm.ForwardTo(x, attention, x, session);                                 // x ← LayerNorm(x + attention)
        session.Tap(_attentionName, x);
        FloatTensor output = _feedForward.Forward(x, session);                                   // [tokens, hidden]
        _outputNorm.ForwardTo(x, output, x, session);                                       // x ← LayerNorm(x + output)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }
}
