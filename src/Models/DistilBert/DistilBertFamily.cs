using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>DistilBERT's registration.</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers' models/distilbert.</remarks>
internal static class DistilBertFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<DistilBertConfig>("distilbert", DistilBertJson.Default.DistilBertConfig)
    {
        BaseModelPrefix = "distilbert",
        Builders =
        [
            (typeof(DistilBertModel), (config, source) => new DistilBertModel(config, source)),
            (typeof(DistilBertForMaskedLM), (config, source) => new DistilBertForMaskedLM(config, source)),
            (typeof(DistilBertForSequenceClassification), (config, source) => new DistilBertForSequenceClassification(config, source)),
            (typeof(DistilBertForTokenClassification), (config, source) => new DistilBertForTokenClassification(config, source)),
        ],
        KnownBuffers = ["embeddings.position_ids"],
        OtherHeads = ["vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "pre_classifier.", "classifier.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DistilBertConfig))]
internal sealed partial class DistilBertJson : JsonSerializerContext;

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

/// <summary>DistilBERT that classifies a text: classifier(relu(pre_classifier(first token))).</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertForSequenceClassification.</remarks>
internal sealed class DistilBertForSequenceClassification : EncoderForSequenceClassification
{
    private readonly Linear _preClassifier;
    private readonly Linear _classifier;

    internal DistilBertForSequenceClassification(DistilBertConfig config, ModelSource source) : base(config, source, new DistilBertModel(config, source))
    {
        _preClassifier = new Linear(source.Weights, "pre_classifier", config.Dim, config.Dim);
        _classifier = new Linear(source.Weights, "classifier", config.Dim, config.NumLabels);
    }

    /// <inheritdoc/>
    protected override FloatTensor Classify(FloatTensor x, Session session)
    {
        FloatTensor hidden = _preClassifier.Forward(SelectedRows.First(x, session), session, ActivationFunction.Relu);       // [batch, dim]
        return _classifier.Forward(hidden, session);                                                                    // [batch, labels]
    }
}

/// <summary>DistilBERT that labels every token.</summary>
/// <remarks>Sanh et al. 2019, arXiv:1910.01108; transformers DistilBertForTokenClassification.</remarks>
internal sealed class DistilBertForTokenClassification : EncoderForTokenClassification
{
    internal DistilBertForTokenClassification(DistilBertConfig config, ModelSource source) : base(config, source, new DistilBertModel(config, source))
    {
    }
}
