using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>How text is generated; names and meanings are those of transformers' GenerationConfig. What is null is taken from the checkpoint's
/// generation_config.json.</summary>
public sealed record GenerationOptions
{
    /// <summary>Nothing asked for: the checkpoint's own settings.</summary>
    public static GenerationOptions Default { get; } = new();

    /// <summary>The most tokens to generate, at least 1. Null here, in <see cref="MaxLength"/> and in the checkpoint: 64, or as many as still fit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxNewTokens
    {
        get;
        init => field = value < 1 ? throw new ArgumentOutOfRangeException(nameof(value), $"MaxNewTokens is {value}; at least 1 is needed.") : value;
    }

    /// <summary>The most tokens with the prompt (of a batch, its longest prompt); instead of <see cref="MaxNewTokens"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxLength
    {
        get;
        init => field = value < 1 ? throw new ArgumentOutOfRangeException(nameof(value), $"MaxLength is {value}; at least 1 is needed.") : value;
    }

    /// <summary>The tokens that end a text; each is the last token of what it ends.</summary>
    public IReadOnlyList<int>? EosTokenId { get; init; }

    /// <summary>
    /// Cuts the text before the second top-level print, the second def, and the first match of these regular expressions, as
    /// CodeGenTokenizer.decode does. A stream then gives its text in one piece at the end, because only then the cut is known.
    /// </summary>
    public IReadOnlyList<string>? TruncateBeforePattern { get; init; }

    /// <summary>Reads a generation_config.json; keys that this record does not have are left alone.</summary>
    /// <param name="json">The file's bytes, UTF-8.</param>
    /// <exception cref="ConfigException">The JSON is broken, or a value is impossible.</exception>
    public static GenerationOptions FromJson(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = SmallJson.Parse(GenerationDefaults.File, json, JsonValueKind.Object);
        JsonElement root = document.RootElement;
        return new GenerationOptions
        {
            MaxNewTokens = ReadLength(root, "max_new_tokens"),
            MaxLength = ReadLength(root, "max_length"),
            EosTokenId = ReadIds(root, "eos_token_id"),
        };
    }

    private static int? ReadLength(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int length) && length >= 1
            ? length
            : throw new ConfigException($"{GenerationDefaults.File}: {key} is {value.GetRawText()}; a number of at least 1 is needed.");
    }

    private static int[]? ReadIds(JsonElement root, string key)
    {
        if (!root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        JsonElement[] ids = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        return [.. ids.Select(id => id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number) && number >= 0
            ? number
            : throw new ConfigException($"{GenerationDefaults.File}: {key} is {value.GetRawText()}; an id or a list of ids is needed."))];
    }
}

/// <summary>A piece of generated text.</summary>
/// <param name="Text">Whole characters; empty only in a last piece that has nothing but the end token.</param>
/// <param name="TokenIds">The tokens that it was made of; in the last piece also the end token, which has no text.</param>
public sealed record TextPiece(string Text, IReadOnlyList<int> TokenIds);
