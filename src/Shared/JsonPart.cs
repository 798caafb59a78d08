using System.Text.Json;

namespace ManagedTransformers;

/// <summary>A value of a JSON file that knows where it stands, so that a wrong one can be named.</summary>
/// <param name="Element">The value.</param>
/// <param name="Path">File and keys, such as <c>tokenizer.json: model.unk_token</c>.</param>
/// <param name="Error">Makes the exception for a wrong one.</param>
internal readonly record struct JsonPart(JsonElement Element, string Path, JsonError Error)
{
    /// <summary>The top of a file, whatever it is.</summary>
    /// <inheritdoc cref="JsonText.Parse"/>
    public static JsonPart Parse(string file, ReadOnlyMemory<byte> json, JsonError error) => new(JsonText.Parse(file, json, error).RootElement, file, error);

    /// <summary>This, if it is an object.</summary>
    public JsonPart Object() => Element.ValueKind == JsonValueKind.Object ? this : throw Unexpected("an object, { … }");

    /// <summary>The value of a key; null where it is missing or null.</summary>
    public JsonPart? Find(string key) =>
        Object().Element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? At(value, Below(key)) : null;

    /// <summary>The value of a key that must be there.</summary>
    public JsonPart Get(string key) =>
        Find(key) ?? throw Error($"{Path} has no \"{key}\", which is needed there. The file is damaged or of a newer format.");

    public IEnumerable<JsonPart> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array) throw Unexpected("an array, [ … ]");
        JsonPart self = this;
        return Element.EnumerateArray().Select((item, i) => self.At(item, $"{self.Path}[{i}]"));
    }

    public IEnumerable<(string Key, JsonPart Value)> Entries()
    {
        JsonPart self = Object();
        return self.Element.EnumerateObject().Select(entry => (entry.Name, self.At(entry.Value, self.Below(entry.Name))));
    }

    public string String() => Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Unexpected("a string");

    public bool Bool() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Unexpected("true or false"),
    };

    /// <summary>A whole number that fits an int.</summary>
    public int Int() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value)
        ? value
        : throw Unexpected("a whole number below 2,147,483,648");

    /// <summary>A whole number from 0 on.</summary>
    public int Id() => Int() is var id && id >= 0 ? id : throw Unexpected("an id, 0 or more");

    public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Unexpected("a number");

    /// <summary>A value of the same file.</summary>
    public JsonPart At(JsonElement element, string path) => new(element, path, Error);

    /// <summary>The exception for a value of the wrong kind.</summary>
    public Exception Unexpected(string needed)
    {
        string found = Element.ValueKind == JsonValueKind.Undefined ? "nothing" : PythonNumbers.Unquote(Element.GetRawText());
        if (found.Length > 60) found = found[..60] + "…";
        return Error($"{Path} is {found}; it must be {needed}. Correct the file, or get it again.");
    }

    private string Below(string key) => Path.Contains(':', StringComparison.Ordinal) ? $"{Path}.{key}" : $"{Path}: {key}";
}

/// <summary>Values that may be missing.</summary>
internal static class OptionalJson
{
    public static bool Or(this JsonPart? part, bool otherwise) => part?.Bool() ?? otherwise;

    public static int Or(this JsonPart? part, int otherwise) => part?.Int() ?? otherwise;

    public static string Or(this JsonPart? part, string otherwise) => part?.String() ?? otherwise;
}
