using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

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
