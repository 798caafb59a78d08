using System.Text.Json.Serialization;

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
