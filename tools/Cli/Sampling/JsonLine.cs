using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>A JSON object on a line of a file.</summary>
internal sealed class JsonLine
{
    private readonly JsonElement _object;

    /// <param name="where">File and line, for messages.</param>
    /// <param name="text">The line.</param>
    /// <exception cref="FormatException">It is no JSON object.</exception>
    public JsonLine(string where, string text)
    {
        Where = where;
        try
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            RequireText(utf8);
            using JsonDocument document = JsonDocument.Parse(utf8);
            _object = document.RootElement.Clone();
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException($"{where} has a text with half a surrogate pair, which is no text: {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new FormatException($"{where} is no JSON: {e.Message} Each line must be one JSON object.", e);
        }
        if (_object.ValueKind != JsonValueKind.Object)
            throw Error($"is a JSON {_object.ValueKind}; an object is needed");
    }

    /// <summary>File and line.</summary>
    public string Where { get; }

    /// <summary>The names of all properties.</summary>
    public string[] Names => [.. _object.EnumerateObject().Select(property => property.Name)];

    /// <summary>A property's value; null where it is missing or null.</summary>
    public JsonElement? Find(string name) => _object.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A property's value as text.</summary>
    /// <exception cref="FormatException">It is no text.</exception>
    public string Text(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Error($"has the {name} {value.GetRawText()}; a text is needed");

    /// <summary>What to throw: file, line, and what is wrong.</summary>
    public FormatException Error(string what) => new($"{Where} {what}.");

    // Reads every string with an escape: a document tells what is no text only later, wherever it is asked for.
    private static void RequireText(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                _ = reader.GetString();
        }
    }
}
