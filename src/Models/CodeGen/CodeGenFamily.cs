using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;


/// <summary>CodeGen's and CodeGen2's registration.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers' models/codegen.</remarks>
internal static class CodeGenFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<CodeGenConfig>("codegen", CodeGenJson.Default.CodeGenConfig)
    {
        BaseModelPrefix = "transformer",
        Builders =
        [
            (typeof(CodeGenModel), (config, source) => new CodeGenModel(config, source)),
            (typeof(CodeGenForCausalLM), (config, source) => new CodeGenForCausalLM(config, source)),
        ],
        KnownBuffers = [".attn.causal_mask", ".attn.bias", ".attn.masked_bias", ".attn.embed_positions", ".attn.rotary_emb.inv_freq"],
        OtherHeads = ["lm_head."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(CodeGenConfig))]
internal sealed partial class CodeGenJson : JsonSerializerContext;

/// <summary>CodeGen and CodeGen2 that write code: scores of the next token after every token.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, and 2023, arXiv:2305.02309; transformers CodeGenForCausalLM.</remarks>
internal sealed class CodeGenForCausalLM : DecoderForCausalLM
{
    internal CodeGenForCausalLM(CodeGenConfig config, ModelSource source) : this(config, source, new CodeGenModel(config, source))
    {
    }

    private CodeGenForCausalLM(CodeGenConfig config, ModelSource source, CodeGenModel transformer)
        : base(config, source, transformer,
        Linear.OverVocabulary(config, source.Weights, "lm_head", transformer.Words, config.TieWordEmbeddings)) => Config = config;

    /// <summary>The configuration.</summary>
    public new CodeGenConfig Config { get; }
}
