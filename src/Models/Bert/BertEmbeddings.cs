namespace ManagedTransformers.Models;

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
    public Tensor Forward(Session session)
    {
        Tensor x = Words.Forward(_name, session);                    // [tokens, hidden]
        _tokenTypes.Add(session.Batch.TypeIds, x, session);
        _positions.Add(session.Batch.Positions, x, session);
        _layerNorm.ForwardTo(x, x, session);
        return session.Tap(_name, x);
    }
}
