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
            using JsonDocument document = JsonDocument.Parse(text);
            _object = document.RootElement.Clone();
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
    /// <exception cref="FormatException">One is no text.</exception>
    public string[] Names
    {
        get
        {
            try
            {
                return [.. _object.EnumerateObject().Select(property => property.Name)];
            }
            catch (InvalidOperationException e)
            {
                throw new FormatException($"{Where} has a key with half a surrogate pair, which is no text: {e.Message}", e);
            }
        }
    }

    /// <summary>A property's value; null where it is missing or null.</summary>
    public JsonElement? Find(string name) => _object.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A property's value as text.</summary>
    /// <exception cref="FormatException">It is no text.</exception>
    public string Text(string name, JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Error($"has the {name} {value.GetRawText()}; a text is needed");
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException($"{Where} has a {name} with half a surrogate pair, which is no text: {e.Message}", e);
        }
    }

    /// <summary>What to throw: file, line, and what is wrong.</summary>
    public FormatException Error(string what) => new($"{Where} {what}.");
}
