using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;


/// <summary>GPT-2's registration.</summary>
/// <remarks>Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; transformers' models/gpt2.</remarks>
internal static class GPT2Family
{
    public static ModelFamily Registration { get; } = new ModelFamily<GPT2Config>("gpt2", GPT2Json.Default.GPT2Config)
    {
        BaseModelPrefix = "transformer",
        Builders =
        [
            (typeof(GPT2Model), (config, source) => new GPT2Model(config, source)),
            (typeof(GPT2LMHeadModel), (config, source) => new GPT2LMHeadModel(config, source)),
        ],
        KnownBuffers = [".attn.bias", ".attn.masked_bias"],
        OtherHeads = ["lm_head.", "multiple_choice_head.", "score.", "classifier.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(GPT2Config))]
internal sealed partial class GPT2Json : JsonSerializerContext;

/// <summary>GPT-2 that writes: scores of the next token after every token, by the token table itself.</summary>
/// <remarks>Radford et al. 2019; transformers GPT2LMHeadModel.</remarks>
internal sealed class GPT2LMHeadModel : DecoderForCausalLM
{
    internal GPT2LMHeadModel(GPT2Config config, ModelSource source) : this(config, source, new GPT2Model(config, source))
    {
    }

    private GPT2LMHeadModel(GPT2Config config, ModelSource source, GPT2Model transformer)
        : base(config, source, transformer,
        Linear.OverVocabulary(config, source.Weights, "lm_head", transformer.Words, config.TieWordEmbeddings, bias: false))
    {
    }
}
