using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Testing;

/// <summary>Small decoders with random weights, one of each family: what all of them promise is tested with each.</summary>
internal static class DecoderFamilies
{
    /// <summary>The families, by model_type. Llama shares keys and values among heads and scales its rotary angles, Qwen2 shares them and ties its head,
    /// GPTBigCode has one head of keys and values.</summary>
    public static IReadOnlyList<string> All { get; } = ["codegen", "gpt2", "gptj", "gpt_neox", "gpt_bigcode", "llama", "qwen2"];

    /// <summary>A model of a family with four heads.</summary>
    /// <param name="family">Its model_type.</param>
    /// <param name="vocabSize">vocab_size.</param>
    /// <param name="width">n_embd or hidden_size.</param>
    /// <param name="layers">n_layer or num_hidden_layers.</param>
    /// <param name="inner">Width of the feed-forward; null: four times the width.</param>
    /// <param name="positions">n_positions or max_position_embeddings.</param>
    /// <param name="range">initializer_range.</param>
    /// <param name="eos">The end token.</param>
    /// <param name="seed">Of the weights.</param>
    /// <param name="options">Kernels and formats.</param>
    public static DecoderForCausalLM Model(string family, int vocabSize = 40, int width = 32, int layers = 3, int? inner = null, int positions = 64,
        double range = 0.4, int eos = 1, int seed = 7, LoadOptions? options = null) => (DecoderForCausalLM)PretrainedModels.FromConfig<ICausalLM>(
        Config(family, vocabSize, width, layers, inner ?? 4 * width, positions, range, eos), seed, options);

    // One object has the keys of all families; each reads its own.
    private static PretrainedConfig Config(string family, int vocabSize, int width, int layers, int inner, int positions, double range, int eos)
    {
        var keys = new Dictionary<string, object?>
        {
            ["model_type"] = family, ["vocab_size"] = vocabSize, ["initializer_range"] = range, ["bos_token_id"] = 0, ["eos_token_id"] = eos,
            ["n_embd"] = width, ["n_layer"] = layers, ["n_head"] = 4, ["n_inner"] = inner, ["n_positions"] = positions, ["rotary_dim"] = Math.Max(4, width / 8),
            ["hidden_size"] = width, ["num_hidden_layers"] = layers, ["num_attention_heads"] = 4, ["intermediate_size"] = inner,
            ["max_position_embeddings"] = positions, ["rotary_pct"] = 0.5,
        };
        if (family is "llama" or "qwen2")
            keys["num_key_value_heads"] = 2;
        if (family is "llama")
            keys["rope_scaling"] = new { rope_type = "linear", factor = 2.0 };
        if (family is "qwen2")
            keys["tie_word_embeddings"] = true;
        return ConfigJson.Parse(JsonSerializer.SerializeToUtf8Bytes(keys));
    }
}
