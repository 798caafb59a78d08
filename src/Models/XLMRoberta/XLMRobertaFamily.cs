using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>XLM-RoBERTa's configuration: RoBERTa's; names and defaults of transformers' XLMRobertaConfig.</summary>
internal sealed record XLMRobertaConfig : RobertaConfig
{
    /// <inheritdoc/>
    public override string ModelType => "xlm-roberta";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 30522;
}

/// <summary>XLM-RoBERTa's registration: RoBERTa's classes under another model_type and other names.</summary>
/// <remarks>Conneau et al. 2019, arXiv:1911.02116; transformers' models/xlm_roberta.</remarks>
internal static class XLMRobertaFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<XLMRobertaConfig>("xlm-roberta", XLMRobertaJson.Default.XLMRobertaConfig)
    {
        BaseModelPrefix = RobertaFamily.Registration.BaseModelPrefix,
        Builders =
        [
            (typeof(XLMRobertaModel), (config, source) => new XLMRobertaModel(config, source)),
            (typeof(XLMRobertaForMaskedLM), (config, source) => new XLMRobertaForMaskedLM(config, source)),
            (typeof(XLMRobertaForSequenceClassification), (config, source) => new XLMRobertaForSequenceClassification(config, source)),
            (typeof(XLMRobertaForTokenClassification), (config, source) => new XLMRobertaForTokenClassification(config, source)),
        ],
        KnownBuffers = RobertaFamily.Registration.KnownBuffers,
        OtherHeads = RobertaFamily.Registration.OtherHeads,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(XLMRobertaConfig))]
internal sealed partial class XLMRobertaJson : JsonSerializerContext;

/// <summary>XLM-RoBERTa without a head.</summary>
/// <remarks>Conneau et al. 2019, arXiv:1911.02116; transformers XLMRobertaModel.</remarks>
internal sealed class XLMRobertaModel(XLMRobertaConfig config, ModelSource source) : RobertaModel(config, source);

/// <summary>XLM-RoBERTa that fills masks.</summary>
/// <remarks>Conneau et al. 2019, arXiv:1911.02116; transformers XLMRobertaForMaskedLM.</remarks>
internal sealed class XLMRobertaForMaskedLM(XLMRobertaConfig config, ModelSource source) : RobertaForMaskedLM(config, source);

/// <summary>XLM-RoBERTa that classifies a text.</summary>
/// <remarks>Conneau et al. 2019, arXiv:1911.02116; transformers XLMRobertaForSequenceClassification.</remarks>
internal sealed class XLMRobertaForSequenceClassification(XLMRobertaConfig config, ModelSource source) : RobertaForSequenceClassification(config, source);

/// <summary>XLM-RoBERTa that labels every token.</summary>
/// <remarks>Conneau et al. 2019, arXiv:1911.02116; transformers XLMRobertaForTokenClassification.</remarks>
internal sealed class XLMRobertaForTokenClassification(XLMRobertaConfig config, ModelSource source) : RobertaForTokenClassification(config, source);
