using System.Text.Json;

namespace ManagedTransformers.Serving;

/// <summary>A line of a corpus that has a text.</summary>
/// <param name="Line">Its number, from 1.</param>
/// <param name="Id">What names it in the output, as JSON.</param>
/// <param name="Text">The text.</param>
internal readonly record struct CorpusText(long Line, string Id, string Text)
{
    /// <summary>Reads a line.</summary>
    /// <returns>Null where it is blank.</returns>
    /// <exception cref="PoisonException">It is no object with a text, or with a name where one is asked for.</exception>
    public static CorpusText? Of(CorpusLines line, CorpusOptions options)
    {
        if (line.IsTooLong)
            throw new PoisonException($"The line has {line.LineBytes} bytes; at most {CorpusLines.MostLineBytes} are read. Split its text.");
        ReadOnlyMemory<byte> json = line.Line;
        if (line.Number == 1 && json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        if (!json.Span.ContainsAnyExcept(" \t\r"u8)) return null;
        try
        {
            using var document = JsonDocument.Parse(json);
            return Of(document.RootElement, line.Number, options);
        }
        catch (JsonException e)
        {
            throw new PoisonException($"The line is no JSON: {e.Message}");
        }
        catch (InvalidOperationException e)
        {
            throw new PoisonException($"The line has a text that is none, with half a surrogate pair or bytes that are not UTF-8: {e.Message}");
        }
    }

    private static CorpusText Of(JsonElement root, long number, CorpusOptions options)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new PoisonException($"The line is a JSON {root.ValueKind}; an object is needed.");
        string id = number.ToString(CultureInfo.InvariantCulture);
        if (options.IdField is string name)
        {
            if (!root.TryGetProperty(name, out JsonElement value) || value.ValueKind is not (JsonValueKind.String or JsonValueKind.Number))
                throw new PoisonException($"The line has no \"{name}\" that is a string or a number, and its id was to be read from there.");
            if (value.ValueKind == JsonValueKind.String) _ = value.GetString();          // refuses what is no text
            id = value.GetRawText();
        }
        return root.TryGetProperty(options.TextField, out JsonElement text) && text.ValueKind == JsonValueKind.String
            ? new CorpusText(number, id, text.GetString()!)
            : throw new PoisonException($"The line has no \"{options.TextField}\" that is a string; its text was to be read from there.", id);
    }
}

/// <summary>A line that cannot be processed; the message is what its poison file says.</summary>
internal sealed class PoisonException(string message, string? id = null) : Exception(message)
{
    /// <summary>What names the line, as JSON; null where that is not known.</summary>
    public string? Id => id;
}

/// <summary>A line that was set aside.</summary>
internal readonly record struct PoisonLine(long Line, string? Id, string Reason);
