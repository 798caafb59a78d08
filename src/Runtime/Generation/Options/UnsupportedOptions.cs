namespace ManagedTransformers;

/// <summary>Options of transformers' generate() that change texts and are not done here. A checkpoint that asks for one is told of, by name.</summary>
/// <remarks>GenerationConfig of transformers 4.46. Those that change no text (use_cache, output_scores, low_memory …) are left alone.</remarks>
internal static class UnsupportedOptions
{
    // Each with the number that changes nothing; null, false and empty lists never do. (diversity_penalty works between num_beam_groups only.)
    private static readonly Dictionary<string, double> s_neutral = new(StringComparer.Ordinal)
    {
        ["num_beam_groups"] = 1, ["penalty_alpha"] = 0, ["encoder_repetition_penalty"] = 1, ["encoder_no_repeat_ngram_size"] = 0, ["guidance_scale"] = 1,
        ["force_words_ids"] = 0, ["constraints"] = 0, ["forced_bos_token_id"] = double.NaN, ["forced_decoder_ids"] = 0,
        ["exponential_decay_length_penalty"] = 0, ["remove_invalid_values"] = 0, ["token_healing"] = 0, ["watermarking_config"] = 0,
        ["dola_layers"] = double.NaN,
    };

    public static IEnumerable<string> Names => s_neutral.Keys;

    /// <summary>Adds a sentence where the value of a key would change texts.</summary>
    public static void Warn(string file, string key, JsonElement value, List<string> warnings)
    {
        if (s_neutral.TryGetValue(key, out double neutral) && !IsNeutral(value, neutral))
            warnings.Add($"{file} says {key} {value.GetRawText()}, which this runtime does not do: texts are generated without it.");
    }

    private static bool IsNeutral(JsonElement value, double neutral) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Number => value.GetDouble() == neutral,
        _ => false,
    };
}
