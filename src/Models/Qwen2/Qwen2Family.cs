using System.Text.Json.Serialization;

namespace ManagedTransformers.Models;

/// <summary>The registration of Qwen2, Qwen2.5 and Qwen2.5-Coder.</summary>
/// <remarks>Yang et al. 2024, arXiv:2407.10671; Hui et al. 2024, arXiv:2409.12186; transformers' models/qwen2.</remarks>
internal static class Qwen2Family
{
    public static ModelFamily Registration { get; } = new ModelFamily<Qwen2Config>("qwen2", Qwen2Json.Default.Qwen2Config)
    {
        BaseModelPrefix = LlamaModel.Prefix,
        Builders =
        [
            (typeof(Qwen2Model), (config, source) => new Qwen2Model(config, source)),
            (typeof(Qwen2ForCausalLM), (config, source) => new Qwen2ForCausalLM(config, source)),
        ],
        KnownBuffers = [".rotary_emb.inv_freq"],
        OtherHeads = ["lm_head.", "score.", "qa_outputs."],
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Qwen2Config))]
internal sealed partial class Qwen2Json : JsonSerializerContext;

/// <summary>Qwen2 without a head: Llama's, with biases on queries, keys and values.</summary>
/// <remarks>Yang et al. 2024, arXiv:2407.10671; transformers Qwen2Model.</remarks>
internal sealed class Qwen2Model(Qwen2Config config, ModelSource source) : LlamaModel(config, source);

/// <summary>Qwen2 that writes: scores of the next token after every token.</summary>
/// <remarks>Yang et al. 2024, arXiv:2407.10671; transformers Qwen2ForCausalLM.</remarks>
internal sealed class Qwen2ForCausalLM : DecoderForCausalLM
{
    internal Qwen2ForCausalLM(Qwen2Config config, ModelSource source) : this(config, source, new Qwen2Model(config, source))
    {
    }

    private Qwen2ForCausalLM(Qwen2Config config, ModelSource source, Qwen2Model model) : base(config, source, model,
        Linear.OverVocabulary(config, source.Weights, "lm_head", model.Words, config.TieWordEmbeddings, bias: false)) => Config = config;

    /// <summary>The configuration.</summary>
    public new Qwen2Config Config { get; }
}
