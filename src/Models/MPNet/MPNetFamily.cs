using System.Text.Json.Serialization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>MPNet's registration.</summary>
/// <remarks>Song et al. 2020, arXiv:2004.09297; transformers' models/mpnet.</remarks>
internal static class MPNetFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<MPNetConfig>("mpnet", MPNetJson.Default.MPNetConfig)
    {
        BaseModelPrefix = "mpnet",
        Builders =
        [
            (typeof(MPNetModel), (config, source) => new MPNetModel(config, source, pooler: true)),
            (typeof(MPNetForMaskedLM), (config, source) => new MPNetForMaskedLM(config, source)),
            (typeof(MPNetForSequenceClassification), (config, source) => new MPNetForSequenceClassification(config, source)),
            (typeof(MPNetForTokenClassification), (config, source) => new MPNetForTokenClassification(config, source)),
        ],
        KnownBuffers = ["embeddings.position_ids"],
        OtherHeads = ["lm_head.", "classifier.", "qa_outputs.", "mpnet.pooler.", "pooler."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(MPNetConfig))]
internal sealed partial class MPNetJson : JsonSerializerContext;

/// <summary>MPNet that fills masks: decoder(layer_norm(gelu(dense(x)))), the decoder tied to the token table.</summary>
/// <remarks>Song et al. 2020, arXiv:2004.09297; transformers MPNetForMaskedLM and MPNetLMHead.</remarks>
internal sealed class MPNetForMaskedLM : EncoderForMaskedLM
{
    internal MPNetForMaskedLM(MPNetConfig config, ModelSource source) : this(config, source, new MPNetModel(config, source))
    {
    }

    private MPNetForMaskedLM(MPNetConfig config, ModelSource source, MPNetModel mpnet) : base(config, source, mpnet, Head(config, source.Weights, mpnet))
    {
    }

    private static MaskedLMHead Head(MPNetConfig config, ModelWeights weights, MPNetModel mpnet)
    {
        var dense = new Linear(weights, "lm_head.dense", config.HiddenSize, config.HiddenSize);
        var layerNorm = new LayerNormalization(weights, "lm_head.layer_norm", config.HiddenSize, config.LayerNormEps);
        Linear decoder = Linear.OverVocabulary(config, weights, "lm_head.decoder", mpnet.Words, config.TieWordEmbeddings, biasName: "lm_head.bias");
        return new MaskedLMHead(dense, ActivationFunction.Gelu, layerNorm, layerNorm.Name, decoder, "lm_head");
    }
}

/// <summary>MPNet that classifies a text: out_proj(tanh(dense(first token))).</summary>
/// <remarks>Song et al. 2020, arXiv:2004.09297; transformers MPNetForSequenceClassification and MPNetClassificationHead.</remarks>
internal sealed class MPNetForSequenceClassification : EncoderForSequenceClassification
{
    private readonly Linear _dense;
    private readonly Linear _outProj;

    internal MPNetForSequenceClassification(MPNetConfig config, ModelSource source) : base(config, source, new MPNetModel(config, source))
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

/// <summary>MPNet that labels every token.</summary>
/// <remarks>Song et al. 2020, arXiv:2004.09297; transformers MPNetForTokenClassification.</remarks>
internal sealed class MPNetForTokenClassification : EncoderForTokenClassification
{
    internal MPNetForTokenClassification(MPNetConfig config, ModelSource source) : base(config, source, new MPNetModel(config, source))
    {
    }
}
