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
    public override ModulePaths Paths { get; } = new(Embeddings, $"{Layer}.*", $"{Layer}.*.attention", $"{Layer}.*.ffn");

    /// <inheritdoc/>
    public override EmbeddingTable Words { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Session session)
    {
        Tensor x = Words.Forward(Embeddings, session);                       // [tokens, dim]
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
