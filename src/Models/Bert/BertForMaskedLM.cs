namespace ManagedTransformers.Models;

/// <summary>BERT that fills masks.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers BertForMaskedLM.</remarks>
internal class BertForMaskedLM : EncoderForMaskedLM
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal BertForMaskedLM(BertConfig config, ModelSource source) : this(config, source, new BertModel(config, source, pooler: false))
    {
    }

    private BertForMaskedLM(BertConfig config, ModelSource source, BertModel bert) : base(config, source, bert, Head(config, source.Weights, bert))
    {
    }

    /// <summary>decoder(LayerNorm(act(dense(x)))), the decoder tied to the token table unless the configuration says otherwise.</summary>
    /// <remarks>transformers BertLMPredictionHead.</remarks>
    internal static MaskedLMHead Head(BertConfig config, ModelWeights weights, BertModel bert)
    {
        const string Name = "cls.predictions", Transform = "cls.predictions.transform";
        var dense = new Linear(weights, $"{Transform}.dense", config.HiddenSize, config.HiddenSize);
        var layerNorm = new LayerNormalization(weights, $"{Transform}.LayerNorm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = Linear.OverVocabulary(config, weights, $"{Name}.decoder", bert.Words, config.TieWordEmbeddings, biasName: $"{Name}.bias");
        return new MaskedLMHead(dense, config.Activation, layerNorm, Transform, decoder, Name);
    }
}
