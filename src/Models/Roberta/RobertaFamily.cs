using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>RoBERTa's registration.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers' models/roberta.</remarks>
internal static class RobertaFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<RobertaConfig>("roberta", RobertaJson.Default.RobertaConfig)
    {
        BaseModelPrefix = "roberta",
        Builders =
        [
            (typeof(RobertaModel), (config, source) => new RobertaModel(config, source)),
            (typeof(RobertaForMaskedLM), (config, source) => new RobertaForMaskedLM(config, source)),
            (typeof(RobertaForSequenceClassification), (config, source) => new RobertaForSequenceClassification(config, source)),
            (typeof(RobertaForTokenClassification), (config, source) => new RobertaForTokenClassification(config, source)),
        ],
        KnownBuffers = ["embeddings.position_ids", "embeddings.token_type_ids"],
        OtherHeads = ["lm_head.", "classifier.", "qa_outputs.", "roberta.pooler.", "pooler."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RobertaConfig))]
internal sealed partial class RobertaJson : JsonSerializerContext;
