using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>The registration of SantaCoder and StarCoder.</summary>
/// <remarks>Ben Allal et al. 2023, arXiv:2301.03988; Li et al. 2023, arXiv:2305.06161; transformers' models/gpt_bigcode.</remarks>
internal static class GPTBigCodeFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<GPTBigCodeConfig>("gpt_bigcode", GPTBigCodeJson.Default.GPTBigCodeConfig)
    {
        BaseModelPrefix = "transformer",
        Builders =
        [
            (typeof(GPTBigCodeModel), (config, source) => new GPTBigCodeModel(config, source)),
            (typeof(GPTBigCodeForCausalLM), (config, source) => new GPTBigCodeForCausalLM(config, source)),
        ],
        KnownBuffers = [".attn.bias", ".attn.masked_bias"],
        OtherHeads = ["lm_head.", "score.", "classifier."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(GPTBigCodeConfig))]
internal sealed partial class GPTBigCodeJson : JsonSerializerContext;

/// <summary>SantaCoder and StarCoder that write: scores of the next token after every token.</summary>
/// <remarks>Li et al. 2023, arXiv:2305.06161; transformers GPTBigCodeForCausalLM.</remarks>
internal sealed class GPTBigCodeForCausalLM : DecoderForCausalLM
{
    internal GPTBigCodeForCausalLM(GPTBigCodeConfig config, ModelSource source) : this(config, source, new GPTBigCodeModel(config, source))
    {
    }

    private GPTBigCodeForCausalLM(GPTBigCodeConfig config, ModelSource source, GPTBigCodeModel model) : base(config, source, model,
        Linear.OverVocabulary(config, source.Weights, "lm_head", model.Words, config.TieWordEmbeddings, bias: false)) => Config = config;

    /// <summary>The configuration.</summary>
    public new GPTBigCodeConfig Config { get; }
}
