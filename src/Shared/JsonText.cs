using System.Text.Json;
using System.Text.Unicode;

namespace ManagedTransformers;

/// <summary>Makes the exception that a caller throws for bad JSON; the message says where, what was found, what was needed, what to do.</summary>
internal delegate Exception JsonError(string message, Exception? inner = null);

/// <summary>The one way into the JSON files of a checkpoint. Compiled into each project that reads some, so that all refuse the same, each by its own
/// exception.</summary>
internal static class JsonText
{
    /// <summary>A file as a document. NaN and infinities, as Python writes them, become strings (<see cref="PythonNumbers"/>).</summary>
    /// <param name="file">What to call the file in errors.</param>
    /// <param name="json">Its bytes, with a byte order mark or without.</param>
    /// <param name="error">Makes the exception: the bytes are not UTF-8, not JSON, or have a string that is no text.</param>
    public static JsonDocument Parse(string file, ReadOnlyMemory<byte> json, JsonError error) => JsonDocument.Parse(Check(file, json, error));

    /// <summary>The bytes of a file that is JSON, without a byte order mark, for readers of their own.</summary>
    /// <inheritdoc cref="Parse"/>
    public static ReadOnlyMemory<byte> Check(string file, ReadOnlyMemory<byte> json, JsonError error)
    {
        if (GitLfsPointer.Problem(file, json.Span) is string pointer)
            throw error(pointer);
        if (json.Span.StartsWith("\uFEFF"u8))
            json = json[3..];
        if (!Utf8.IsValid(json.Span))
            throw error($"{file} is not UTF-8. The file is damaged or something else: get it again.");
        json = PythonNumbers.Quote(json);
        try
        {
            RequireText(json.Span);
            return json;
        }
        catch (InvalidOperationException e)
        {
            throw error($"{file} has a string with half a surrogate pair in it, which is no text: {e.Message} Get it again.", e);
        }
        catch (JsonException e)
        {
            throw error($"{file} cannot be read: it is not JSON ({e.Message.TrimEnd('.')}). " +
                "The file is damaged or cut off: get it again.", e);
        }
    }

    /// <summary>Reads all of it, and every string with an escape: a JsonDocument would tell bad ones only later, by an exception that does not know the
    /// file.</summary>
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
