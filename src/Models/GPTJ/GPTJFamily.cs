using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;


/// <summary>GPT-J's registration.</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021, "GPT-J-6B"; transformers' models/gptj.</remarks>
internal static class GPTJFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<GPTJConfig>("gptj", GPTJJson.Default.GPTJConfig)
    {
        BaseModelPrefix = "transformer",
        Builders =
        [
            (typeof(GPTJModel), (config, source) => new GPTJModel(config, source)),
            (typeof(GPTJForCausalLM), (config, source) => new GPTJForCausalLM(config, source)),
        ],
        KnownBuffers = [".attn.bias", ".attn.masked_bias", ".attn.embed_positions"],
        OtherHeads = ["lm_head.", "score.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(GPTJConfig))]
internal sealed partial class GPTJJson : JsonSerializerContext;

/// <summary>GPT-J that writes: scores of the next token after every token.</summary>
/// <remarks>Wang &amp; Komatsuzaki 2021; transformers GPTJForCausalLM.</remarks>
internal sealed class GPTJForCausalLM : DecoderForCausalLM
{
    internal GPTJForCausalLM(GPTJConfig config, ModelSource source) : this(config, source, new GPTJModel(config, source))
    {
    }

    private GPTJForCausalLM(GPTJConfig config, ModelSource source, GPTJModel transformer)
        : base(config, source, transformer, Linear.OverVocabulary(config, source.Weights, "lm_head", transformer.Words, config.TieWordEmbeddings))
    {
    }
}
