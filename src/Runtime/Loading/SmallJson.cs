using System.Text.Json;
using System.Text.Unicode;
using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>The small JSON files beside a checkpoint's weights.</summary>
internal static class SmallJson
{
    /// <summary>Parses a file whose top must be of a kind.</summary>
    /// <exception cref="ConfigException">The JSON is broken, or its top is something else.</exception>
    public static JsonDocument Parse(string file, ReadOnlyMemory<byte> json, JsonValueKind top)
    {
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        if (!Utf8.IsValid(json.Span))
            throw new ConfigException($"{file} is not UTF-8. It is damaged or something else: download it again.");
        JsonDocument document;
        try
        {
            RequireText(json.Span);
            document = JsonDocument.Parse(json);
        }
        catch (InvalidOperationException e)
        {
            throw new ConfigException($"{file} has a string with half a surrogate pair in it, which is no text: {e.Message} Download it again.", e);
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{file} cannot be read: {e.Message} Is the file complete?", e);
        }
        if (document.RootElement.ValueKind == top)
            return document;
        JsonValueKind found = document.RootElement.ValueKind;
        document.Dispose();
        throw new ConfigException($"{file} is a JSON {found}; a JSON {top} is needed.");
    }

    /// <summary>Reads every string once: a JsonDocument would tell bad ones only later, by an exception that does not know the file.</summary>
    /// <exception cref="InvalidOperationException">An escape is half of a surrogate pair.</exception>
    private static void RequireText(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                _ = reader.GetString();
        }
    }
}
