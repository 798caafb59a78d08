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
            $"{name}.encoder.layer.*.output.dense");
    }

    /// <inheritdoc/>
    public override ModulePaths Paths { get; }

    /// <inheritdoc/>
    public override EmbeddingTable Words => _embeddings.Words;

    /// <inheritdoc/>
    public override bool HasPooler => _pooler is not null;

    /// <inheritdoc/>
    public override Tensor Forward(Session session)
    {
        Tensor x = _embeddings.Forward(session);                               // [tokens, hidden]
        session.KeepHiddenState(x);
        foreach (BertLayer layer in _layers)
        {
            layer.Forward(x, session);
            session.KeepHiddenState(x);
        }
        return x;
    }

    /// <inheritdoc/>
    public override Tensor Pool(Tensor x, Session session) =>
        session.Tap(_poolerName, _pooler!.Forward(SelectedRows.First(x, session), session, ActivationFunction.Tanh));
}
