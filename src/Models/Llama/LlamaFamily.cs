using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>Llama's registration: Llama 1 to 3, and what is built like them.</summary>
/// <remarks>Touvron et al. 2023, arXiv:2302.13971; Grattafiori et al. 2024, arXiv:2407.21783; transformers' models/llama.</remarks>
internal static class LlamaFamily
{
    public static ModelFamily Registration { get; } = new ModelFamily<LlamaConfig>("llama", LlamaJson.Default.LlamaConfig)
    {
        BaseModelPrefix = LlamaModel.Prefix,
        Builders =
        [
            (typeof(LlamaModel), (config, source) => new LlamaModel(config, source)),
            (typeof(LlamaForCausalLM), (config, source) => new LlamaForCausalLM(config, source)),
        ],
        KnownBuffers = [".rotary_emb.inv_freq"],
        OtherHeads = ["lm_head.", "score.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(LlamaConfig))]
internal sealed partial class LlamaJson : JsonSerializerContext;

/// <summary>Llama that writes: scores of the next token after every token.</summary>
/// <remarks>Touvron et al. 2023, arXiv:2302.13971; transformers LlamaForCausalLM.</remarks>
internal sealed class LlamaForCausalLM : DecoderForCausalLM
{
    internal LlamaForCausalLM(LlamaConfig config, ModelSource source) : this(config, source, new LlamaModel(config, source))
    {
    }

    private LlamaForCausalLM(LlamaConfig config, ModelSource source, LlamaModel model) : base(config, source, model,
        Linear.OverVocabulary(config, source.Weights, "lm_head", model.Words, config.TieWordEmbeddings, bias: false)) => Config = config;

    /// <summary>The configuration.</summary>
    public new LlamaConfig Config { get; }
}
