namespace ManagedTransformers;


/// <summary>What a checkpoint says about generation, and what was found odd in it.</summary>
/// <param name="Options">generation_config.json's values, or where there is none those in config.json; and end tokens in any case.</param>
/// <param name="Warnings">Sentences for people; empty where all is well.</param>
public sealed record GenerationDefaults(GenerationOptions Options, IReadOnlyList<string> Warnings)
{
    /// <summary>The file's name in a checkpoint directory.</summary>
    internal const string File = "generation_config.json";

    /// <summary>transformers' max_length where nobody says one. Old files write all defaults out, so in config.json it says nothing.</summary>
    private const int UnsaidMaxLength = 20;

    /// <summary>Reads what a checkpoint directory says, for a model without a tokenizer (<see cref="CausalLMGeneration"/>);
    /// <see cref="TextGenerator"/> does it by itself.</summary>
    /// <param name="directory">Holds config.json, and generation_config.json where there is one.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="ConfigException">config.json is missing, or a file is broken or has an impossible value.</exception>
    public static GenerationDefaults Load(string directory)
    {
        ModelFiles files = ModelFiles.In(directory);
        return Of(files.Find(File), ConfigJson.Parse(ConfigJson.ReadFile(directory).Span, ConfigJson.PathIn(directory)), tokenizer: null);
    }

    /// <summary>Settles what files and tokenizer say.</summary>
    /// <remarks>transformers' from_pretrained: without generation_config.json the options are taken from config.json. An end token that generation_config.json
    /// names is the end token; config.json's gives way to the tokenizer's, because CodeGen2's says 2, which is a letter there
    /// (github.com/salesforce/CodeGen2/issues/10).</remarks>
    /// <exception cref="ConfigException">generation_config.json is broken, or a value is impossible.</exception>
    internal static GenerationDefaults Of(ReadOnlyMemory<byte>? generationConfig, PretrainedConfig config, Tokenizer? tokenizer)
    {
        var warnings = new List<string>();
        GenerationOptions options = generationConfig is ReadOnlyMemory<byte> json ? OfFile(json, warnings) : OfConfig(config, warnings);
        return new GenerationDefaults(options.EosTokenId is null ? options with { EosTokenId = EndTokens(config, tokenizer, warnings) } : options, warnings);
    }

    private static GenerationOptions OfFile(ReadOnlyMemory<byte> json, List<string> warnings)
    {
        using JsonDocument document = SmallJson.Parse(File, json, JsonValueKind.Object);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            UnsupportedOptions.Warn(File, property.Name, property.Value, warnings);
        return GenerationOptions.FromJson(document.RootElement, File, strict: false);
    }

    private static GenerationOptions OfConfig(PretrainedConfig config, List<string> warnings)
    {
        var options = new GenerationOptions { PadTokenId = config.PadTokenId >= 0 ? config.PadTokenId : null };
        foreach ((string key, JsonElement value) in config.OtherKeys)
        {
            UnsupportedOptions.Warn(ConfigJson.FileName, key, value, warnings);
            if (GenerationOption.All.Any(option => option.Name == key && option.InTransformers))
                options = options.Read(key, value, ConfigJson.FileName, strict: false);
        }
        return options.MaxLength == UnsaidMaxLength ? options with { MaxLength = null } : options;
    }

    private static IReadOnlyList<int> EndTokens(PretrainedConfig config, Tokenizer? tokenizer, List<string> warnings)
    {
        IReadOnlyList<int> ends = config.EosTokenId;
        if (tokenizer?.SpecialTokens.EosTokenId is not int end || ends.Contains(end))
            return ends;
        if (ends.Count > 0)
            warnings.Add($"{ConfigJson.FileName} says eos_token_id {string.Join(", ", ends)}, but the tokenizer's end token " +
                $"{tokenizer.SpecialTokens.EosToken} is {end}: {end} ends a text here.");
        return [end];
    }
}

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
