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
        return Of(files.Find(File), ConfigJson.Parse(ConfigJson.ReadFile(directory).Span), tokenizer: null);
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
