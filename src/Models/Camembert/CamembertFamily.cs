using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>CamemBERT's configuration: RoBERTa's; names and defaults of transformers' CamembertConfig.</summary>
internal sealed record CamembertConfig : RobertaConfig
{
    /// <inheritdoc/>
    public override string ModelType => "camembert";

    /// <inheritdoc/>
    public override int VocabSize { get; set; } = 30522;
}

/// <summary>CamemBERT's registration: RoBERTa's classes under another model_type and other names.</summary>
/// <remarks>Martin et al. 2019, arXiv:1911.03894; transformers' models/camembert.</remarks>
internal static class CamembertFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<CamembertConfig>("camembert", CamembertJson.Default.CamembertConfig)
    {
        BaseModelPrefix = RobertaFamily.Registration.BaseModelPrefix,
        Builders =
        [
            (typeof(CamembertModel), (config, source) => new CamembertModel(config, source)),
            (typeof(CamembertForMaskedLM), (config, source) => new CamembertForMaskedLM(config, source)),
            (typeof(CamembertForSequenceClassification), (config, source) => new CamembertForSequenceClassification(config, source)),
            (typeof(CamembertForTokenClassification), (config, source) => new CamembertForTokenClassification(config, source)),
        ],
        KnownBuffers = RobertaFamily.Registration.KnownBuffers,
        OtherHeads = RobertaFamily.Registration.OtherHeads,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(CamembertConfig))]
internal sealed partial class CamembertJson : JsonSerializerContext;

/// <summary>CamemBERT without a head.</summary>
/// <remarks>Martin et al. 2019, arXiv:1911.03894; transformers CamembertModel.</remarks>
internal sealed class CamembertModel(CamembertConfig config, ModelSource source) : RobertaModel(config, source);

/// <summary>CamemBERT that fills masks.</summary>
/// <remarks>Martin et al. 2019, arXiv:1911.03894; transformers CamembertForMaskedLM.</remarks>
internal sealed class CamembertForMaskedLM(CamembertConfig config, ModelSource source) : RobertaForMaskedLM(config, source);

/// <summary>CamemBERT that classifies a text.</summary>
/// <remarks>Martin et al. 2019, arXiv:1911.03894; transformers CamembertForSequenceClassification.</remarks>
internal sealed class CamembertForSequenceClassification(CamembertConfig config, ModelSource source) : RobertaForSequenceClassification(config, source);

/// <summary>CamemBERT that labels every token.</summary>
/// <remarks>Martin et al. 2019, arXiv:1911.03894; transformers CamembertForTokenClassification.</remarks>
internal sealed class CamembertForTokenClassification(CamembertConfig config, ModelSource source) : RobertaForTokenClassification(config, source);
