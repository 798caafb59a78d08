namespace ManagedTransformers.Models;


/// <summary>DistilBERT without a head: embeddings and layers. It has no segments and no pooler.</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertModel.</remarks>
internal sealed class DistilBertModel : EncoderModel
{
    private const string Embeddings = "distilbert.embeddings", Layer = "distilbert.transformer.layer";

    private readonly EmbeddingTable _positions;
    private readonly LayerNormalization _layerNorm;
    private readonly DistilBertLayer[] _layers;

    internal DistilBertModel(DistilBertConfig config, ModelSource source) : base(config, source)
    {
        ModelWeights weights = source.Weights;
        Words = new EmbeddingTable(weights, $"{Embeddings}.word_embeddings", config.VocabSize, config.Dim, config.PadTokenId);
        _positions = new EmbeddingTable(weights, $"{Embeddings}.position_embeddings", config.MaxPositionEmbeddings, config.Dim);
        _layerNorm = new LayerNormalization(weights, $"{Embeddings}.LayerNorm", config.Dim, DistilBertConfig.LayerNormEps);
        _layers = [.. Enumerable.Range(0, config.NLayers).Select(i => new DistilBertLayer(config, weights, $"{Layer}.{i}", i))];
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; } = new(Embeddings, $"{Layer}.*", $"{Layer}.*.attention", $"{Layer}.*.ffn")
    {
        TransformerLens = new Dictionary<string, string>
        {
            ["hook_full_embed"] = Embeddings,
            ["blocks.*.attn.hook_q"] = $"{Layer}.*.attention.q_lin",
            ["blocks.*.attn.hook_k"] = $"{Layer}.*.attention.k_lin",
            ["blocks.*.attn.hook_v"] = $"{Layer}.*.attention.v_lin",
            ["blocks.*.hook_attn_out"] = $"{Layer}.*.attention",
            ["blocks.*.mlp.hook_pre"] = $"{Layer}.*.ffn.lin1",
            ["blocks.*.mlp.hook_post"] = $"{Layer}.*.ffn.activation",
            ["blocks.*.hook_normalized_resid_post"] = $"{Layer}.*",
        },
    };

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = Words.Forward(Embeddings, session);                       // [tokens, dim]
        _positions.Add(session.Batch.Positions, x, session);
        _layerNorm.ForwardTo(x, x, session);
        session.Tap(Embeddings, x);
        session.KeepHiddenState(x);
        foreach (DistilBertLayer layer in _layers)
        {
            layer.Forward(x, session);
            session.KeepHiddenState(x);
        }
        return x;
    }
}

/// <summary>x ← sa_layer_norm(x + attention(x)); x ← output_layer_norm(x + lin2(act(lin1(x)))).</summary>
/// <remarks>Sanh et al. 2019; transformers' TransformerBlock, MultiHeadSelfAttention and FFN of DistilBERT.</remarks>
internal sealed class DistilBertLayer
{
    private readonly SelfAttention _attention;
    private readonly Linear _outLin;
    private readonly LayerNormalization _saLayerNorm;
    private readonly FeedForwardBlock _ffn;
    private readonly LayerNormalization _outputLayerNorm;
    private readonly string _name, _attentionName, _ffnName;

    public DistilBertLayer(DistilBertConfig config, ModelWeights weights, string name, int layer)
    {
        (_name, _attentionName, _ffnName) = (name, $"{name}.attention", $"{name}.ffn");
        var query = new Linear(weights, $"{name}.attention.q_lin", config.Dim, config.Dim);
        var key = new Linear(weights, $"{name}.attention.k_lin", config.Dim, config.Dim);
        var value = new Linear(weights, $"{name}.attention.v_lin", config.Dim, config.Dim);
        _attention = new SelfAttention(config, _attentionName, layer, query, key, value);
        _outLin = new Linear(weights, $"{name}.attention.out_lin", config.Dim, config.Dim);
        _saLayerNorm = new LayerNormalization(weights, $"{name}.sa_layer_norm", config.Dim, DistilBertConfig.LayerNormEps);
        var lin1 = new Linear(weights, $"{name}.ffn.lin1", config.Dim, config.HiddenDim);
        var lin2 = new Linear(weights, $"{name}.ffn.lin2", config.HiddenDim, config.Dim);
        _ffn = new FeedForwardBlock(lin1, config.ActivationFunction, $"{name}.ffn.activation", lin2);
        _outputLayerNorm = new LayerNormalization(weights, $"{name}.output_layer_norm", config.Dim, DistilBertConfig.LayerNormEps);
    }

    /// <summary>One layer, in place: [tokens, dim].</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor context = _attention.Forward(x, session);                                                                // [tokens, dim]
        FloatTensor attention = _attention.Project(_outLin, context, session);
        session.Tap(_attentionName, attention);
        _saLayerNorm.ForwardTo(x, attention, x, session);                                                               // x ← sa_layer_norm(x + attention)
        session.Tap(_saLayerNorm.Name, x);
        FloatTensor ffn = session.Tap(_ffnName, _ffn.Forward(x, session));                                                   // [tokens, dim]
        _outputLayerNorm.ForwardTo(x, ffn, x, session);                                                                 // x ← output_layer_norm(x + ffn)
        session.Tap(_outputLayerNorm.Name, x);
        session.Tap(_name, x);
    }
}
