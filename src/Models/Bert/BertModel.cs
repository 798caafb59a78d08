using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>BERT without a head: embeddings, layers and, where the checkpoint has it, the pooler.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertModel.</remarks>
internal class BertModel : EncoderModel
{
    private readonly BertEmbeddings _embeddings;
    private readonly BertLayer[] _layers;
    private readonly Linear? _pooler;
    private readonly string _poolerName;

    /// <summary>Builds the model alone.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    protected internal BertModel(BertConfig config, ModelSource source) : this(config, source, pooler: true)
    {
    }

    /// <summary>Builds the body of a model with a head.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where weights come from.</param>
    /// <param name="pooler">Whether the class has a pooler; it is left out where the checkpoint has none.</param>
    /// <param name="poolerIsNeeded">Whether a head reads it, so that a missing one is an error.</param>
    protected internal BertModel(BertConfig config, ModelSource source, bool pooler, bool poolerIsNeeded = false) : base(config, source)
    {
        string name = ModelFamilies.Of(config).BaseModelPrefix;
        ModelWeights weights = source.Weights;
        _poolerName = $"{name}.pooler";
        _embeddings = new BertEmbeddings(config, weights, $"{name}.embeddings");
        _layers = new BertLayer[config.NumHiddenLayers];
        for (int i = 0; i < _layers.Length; i++)
            _layers[i] = new BertLayer(config, weights, $"{name}.encoder.layer.{i}", i);
        if (pooler && (poolerIsNeeded || weights.Has($"{name}.pooler.dense.weight")))
            _pooler = new Linear(weights, $"{name}.pooler.dense", config.HiddenSize, config.HiddenSize);
        Paths = new ModulePaths($"{name}.embeddings", $"{name}.encoder.layer.*", $"{name}.encoder.layer.*.attention.self",
            $"{name}.encoder.layer.*.output.dense") { TransformerLens = FamilyNames(name, $"{name}.encoder.layer.*") };
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; }

    /// <summary>As TransformerLens's HookedEncoder names them. Its hook_resid_mid and hook_resid_post, before LayerNorm, are no activations here.</summary>
    private static Dictionary<string, string> FamilyNames(string name, string layer) => new()
    {
        ["hook_full_embed"] = $"{name}.embeddings",
        ["blocks.*.attn.hook_q"] = $"{layer}.attention.self.query",
        ["blocks.*.attn.hook_k"] = $"{layer}.attention.self.key",
        ["blocks.*.attn.hook_v"] = $"{layer}.attention.self.value",
        ["blocks.*.hook_attn_out"] = $"{layer}.attention.output.dense",
        ["blocks.*.mlp.hook_pre"] = $"{layer}.intermediate.dense",
        ["blocks.*.mlp.hook_post"] = $"{layer}.intermediate",
        ["blocks.*.hook_normalized_resid_post"] = layer,
    };

    /// <inheritdoc/>
    public override EmbeddingTable Words => _embeddings.Words;

    /// <inheritdoc/>
    public override bool HasPooler => _pooler is not null;

    /// <inheritdoc/>
    public override FloatTensor Forward(Session session)
    {
        FloatTensor x = _embeddings.Forward(session);                               // [tokens, hidden]
        session.KeepHiddenState(x);
        foreach (BertLayer layer in _layers)
        {
            layer.Forward(x, session);
            session.KeepHiddenState(x);
        }
        return x;
    }

    /// <inheritdoc/>
    public override FloatTensor Pool(FloatTensor x, Session session) =>
        session.Tap(_poolerName, _pooler!.Forward(SelectedRows.First(x, session), session, ActivationFunction.Tanh));
}

/// <summary>LayerNorm(word + segment + position embeddings): ids → [tokens, hidden].</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805, figure 2; transformers BertEmbeddings and RobertaEmbeddings.</remarks>
internal sealed class BertEmbeddings
{
    private readonly string _name;
    private readonly EmbeddingTable _tokenTypes;
    private readonly EmbeddingTable _positions;
    private readonly LayerNormalization _layerNorm;

    public BertEmbeddings(BertConfig config, ModelWeights weights, string name)
    {
        _name = name;
        Words = new EmbeddingTable(weights, $"{name}.word_embeddings", config.VocabSize, config.HiddenSize, config.PadTokenId);
        _positions = new EmbeddingTable(weights, $"{name}.position_embeddings", config.MaxPositionEmbeddings, config.HiddenSize, config.Positions.PaddingIdx);
        _tokenTypes = new EmbeddingTable(weights, $"{name}.token_type_embeddings", config.TypeVocabSize, config.HiddenSize);
        _layerNorm = new LayerNormalization(weights, $"{name}.LayerNorm", config.HiddenSize, config.LayerNormEps);
    }

    /// <summary>The token table, [vocab_size, hidden].</summary>
    public EmbeddingTable Words { get; }

    /// <summary>The packed tokens → [tokens, hidden].</summary>
    public FloatTensor Forward(Session session)
    {
        FloatTensor x = Words.Forward(_name, session);                    // [tokens, hidden]
        _tokenTypes.Add(session.Batch.TypeIds, x, session);
        _positions.Add(session.Batch.Positions, x, session);
        _layerNorm.ForwardTo(x, x, session);
        return session.Tap(_name, x);
    }
}

/// <summary>x ← LayerNorm(x + attention(x)); x ← LayerNorm(x + dense(act(dense(x)))).</summary>
/// <remarks>Devlin et al. 2018; transformers BertLayer and RobertaLayer.</remarks>
internal sealed class BertLayer
{
    private readonly BertAttention _attention;
    private readonly FeedForwardBlock _feedForward;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name, _outputName;

    public BertLayer(BertConfig config, ModelWeights weights, string name, int layer)
    {
        (_name, _outputName) = (name, $"{name}.output");
        _attention = new BertAttention(config, weights, $"{name}.attention", layer);
        var intermediate = new Linear(weights, $"{name}.intermediate.dense", config.HiddenSize, config.IntermediateSize);
        var output = new Linear(weights, $"{name}.output.dense", config.IntermediateSize, config.HiddenSize);
        _feedForward = new FeedForwardBlock(intermediate, config.Activation, $"{name}.intermediate", output);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", config.HiddenSize, config.LayerNormEps);
    }

    /// <summary>One layer, in place: [tokens, hidden].</summary>
    public void Forward(FloatTensor x, Session session)
    {
        _attention.Forward(x, session);

        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor output = _feedForward.Forward(x, session);                         // [tokens, hidden]
        _layerNorm.ForwardTo(x, output, x, session);                              // x ← LayerNorm(x + output)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }
}

/// <summary>x ← LayerNorm(x + dense(softmax(q · kᵀ / √head_dim) · v)).</summary>
/// <remarks>Devlin et al. 2018; transformers BertAttention: its self (<see cref="SelfAttention"/>) and its output.</remarks>
internal sealed class BertAttention
{
    private readonly SelfAttention _self;
    private readonly Linear _dense;
    private readonly LayerNormalization _layerNorm;
    private readonly string _name, _selfName, _outputName;

    public BertAttention(BertConfig config, ModelWeights weights, string name, int layer)
    {
        int hidden = config.HiddenSize;
        (_name, _selfName, _outputName) = (name, $"{name}.self", $"{name}.output");
        var query = new Linear(weights, $"{name}.self.query", hidden, hidden);
        var key = new Linear(weights, $"{name}.self.key", hidden, hidden);
        var value = new Linear(weights, $"{name}.self.value", hidden, hidden);
        _self = new SelfAttention(config, _selfName, layer, query, key, value);
        _dense = new Linear(weights, $"{name}.output.dense", hidden, hidden);
        _layerNorm = new LayerNormalization(weights, $"{name}.output.LayerNorm", hidden, config.LayerNormEps);
    }

    /// <summary>In place, [tokens, hidden].</summary>
    public void Forward(FloatTensor x, Session session)
    {
        using Workspace.Scope scope = session.Workspace.BeginScope();
        FloatTensor context = session.Tap(_selfName, _self.Forward(x, session));                                         // [tokens, hidden]
        FloatTensor attention = _self.Project(_dense, context, session);                         // [tokens, hidden]
        _layerNorm.ForwardTo(x, attention, x, session);                                                             // x ← LayerNorm(x + attention)
        session.Tap(_outputName, x);
        session.Tap(_name, x);
    }
}
