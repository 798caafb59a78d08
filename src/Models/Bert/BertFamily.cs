using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>BERT's registration.</summary>
/// <remarks>Devlin et al. 2018, arXiv:1810.04805; transformers' models/bert.</remarks>
internal static class BertFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<BertConfig>("bert", BertJson.Default.BertConfig)
    {
        BaseModelPrefix = "bert",
        Builders =
        [
            (typeof(BertModel), (config, source) => new BertModel(config, source)),
            (typeof(BertForPreTraining), (config, source) => new BertForPreTraining(config, source)),
            (typeof(BertForMaskedLM), (config, source) => new BertForMaskedLM(config, source)),
            (typeof(BertForSequenceClassification), (config, source) => new BertForSequenceClassification(config, source)),
            (typeof(BertForTokenClassification), (config, source) => new BertForTokenClassification(config, source)),
        ],
        KnownBuffers = ["embeddings.position_ids", "embeddings.token_type_ids"],
        OtherHeads = ["cls.", "classifier.", "qa_outputs.", "bert.pooler.", "pooler."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(BertConfig))]
internal sealed partial class BertJson : JsonSerializerContext;
