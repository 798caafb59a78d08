using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

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

/// <summary>RoBERTa without a head: BERT's layers; positions count from the padding token's number on (<see cref="RobertaConfig"/>).</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaModel.</remarks>
internal class RobertaModel : BertModel
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaModel(RobertaConfig config, ModelSource source) : base(config, source)
    {
    }
}

/// <summary>RoBERTa that fills masks.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForMaskedLM.</remarks>
internal class RobertaForMaskedLM : EncoderForMaskedLM
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaForMaskedLM(RobertaConfig config, ModelSource source) : this(config, source, new BertModel(config, source, pooler: false))
    {
    }

    private RobertaForMaskedLM(RobertaConfig config, ModelSource source, BertModel roberta)
        : base(config, source, roberta, Head(config, source.Weights, roberta))
    {
    }

    /// <summary>decoder(layer_norm(gelu(dense(x)))): gelu whatever hidden_act says.</summary>
    /// <remarks>transformers RobertaLMHead.</remarks>
    private static MaskedLMHead Head(RobertaConfig config, ModelWeights weights, BertModel roberta)
    {
        var dense = new Linear(weights, "lm_head.dense", config.HiddenSize, config.HiddenSize);
        var layerNorm = new LayerNormalization(weights, "lm_head.layer_norm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = Linear.OverVocabulary(config, weights, "lm_head.decoder", roberta.Words, config.TieWordEmbeddings, biasName: "lm_head.bias");
        return new MaskedLMHead(dense, ActivationFunction.Gelu, layerNorm, layerNorm.Name, decoder, "lm_head");
    }
}

/// <summary>RoBERTa that classifies a text: out_proj(tanh(dense(first token))).</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForSequenceClassification and RobertaClassificationHead.</remarks>
internal class RobertaForSequenceClassification : EncoderForSequenceClassification
{
    private readonly Linear _dense;
    private readonly Linear _outProj;

    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaForSequenceClassification(RobertaConfig config, ModelSource source)
        : base(config, source, new BertModel(config, source, pooler: false))
    {
        _dense = new Linear(source.Weights, "classifier.dense", config.HiddenSize, config.HiddenSize);
        _outProj = new Linear(source.Weights, "classifier.out_proj", config.HiddenSize, config.NumLabels);
    }

    /// <inheritdoc/>
    protected override FloatTensor Classify(FloatTensor x, Session session)
    {
        FloatTensor hidden = _dense.Forward(SelectedRows.First(x, session), session, ActivationFunction.Tanh);      // [batch, hidden]
        return session.Tap("classifier", _outProj.Forward(hidden, session));                                   // [batch, labels]
    }
}

/// <summary>RoBERTa that labels every token.</summary>
/// <remarks>Liu et al. 2019, arXiv:1907.11692; transformers RobertaForTokenClassification.</remarks>
internal class RobertaForTokenClassification : BertForTokenClassification
{
    /// <inheritdoc cref="BertModel(BertConfig, ModelSource)"/>
    protected internal RobertaForTokenClassification(RobertaConfig config, ModelSource source) : base(config, source)
    {
    }
}
