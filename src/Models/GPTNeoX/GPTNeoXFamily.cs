using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>The registration of GPT-NeoX and Pythia.</summary>
/// <remarks>Black et al. 2022, arXiv:2204.06745; Biderman et al. 2023, arXiv:2304.01373; transformers' models/gpt_neox.</remarks>
internal static class GPTNeoXFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<GPTNeoXConfig>("gpt_neox", GPTNeoXJson.Default.GPTNeoXConfig)
    {
        BaseModelPrefix = "gpt_neox",
        Builders =
        [
            (typeof(GPTNeoXModel), (config, source) => new GPTNeoXModel(config, source)),
            (typeof(GPTNeoXForCausalLM), (config, source) => new GPTNeoXForCausalLM(config, source)),
        ],
        KnownBuffers = [".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"],
        OtherHeads = ["embed_out.", "score.", "classifier.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(GPTNeoXConfig))]
internal sealed partial class GPTNeoXJson : JsonSerializerContext;

/// <summary>GPT-NeoX that writes: scores of the next token after every token.</summary>
/// <remarks>Black et al. 2022, arXiv:2204.06745; transformers GPTNeoXForCausalLM.</remarks>
internal sealed class GPTNeoXForCausalLM : DecoderForCausalLM
{
    internal GPTNeoXForCausalLM(GPTNeoXConfig config, ModelSource source) : this(config, source, new GPTNeoXModel(config, source))
    {
    }

    private GPTNeoXForCausalLM(GPTNeoXConfig config, ModelSource source, GPTNeoXModel model) : base(config, source, model,
        Linear.OverVocabulary(config, source.Weights, "embed_out", model.Words, config.TieWordEmbeddings, bias: false)) => Config = config;

    /// <summary>The configuration.</summary>
    public new GPTNeoXConfig Config { get; }
}
