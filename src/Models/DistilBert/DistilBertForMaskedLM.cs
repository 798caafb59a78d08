namespace ManagedTransformers.Models;

/// <summary>DistilBERT that fills masks: vocab_projector(vocab_layer_norm(act(vocab_transform(x)))).</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertForMaskedLM.</remarks>
internal sealed class DistilBertForMaskedLM : EncoderForMaskedLM
{
    internal DistilBertForMaskedLM(DistilBertConfig config, ModelSource source) : this(config, source, new DistilBertModel(config, source))
    {
    }

    private DistilBertForMaskedLM(DistilBertConfig config, ModelSource source, DistilBertModel distilbert)
        : base(config, source, distilbert, Head(config, source.Weights, distilbert))
    {
    }

    private static MaskedLMHead Head(DistilBertConfig config, ModelWeights weights, DistilBertModel distilbert)
    {
        var transform = new Linear(weights, "vocab_transform", config.Dim, config.Dim);
        var layerNorm = new LayerNormalization(weights, "vocab_layer_norm", config.Dim, DistilBertConfig.LayerNormEps);
        Linear projector = Linear.OverVocabulary(config, weights, "vocab_projector", distilbert.Words, config.TieWordEmbeddings);
        return new MaskedLMHead(transform, config.ActivationFunction, layerNorm, layerNorm.Name, projector);
    }
}
