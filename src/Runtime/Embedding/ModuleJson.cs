namespace ManagedTransformers;

/// <summary>A JSON object in a file of sentence-transformers. It remembers which keys were asked for, so that what nobody honours is told by name and never
/// ignored.</summary>
internal sealed class ModuleJson : IDisposable
{
    private readonly JsonDocument _document;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <param name="file">Its path below the checkpoint, for messages.</param>
    /// <param name="json">What it holds.</param>
    /// <exception cref="ConfigException">It is no JSON object.</exception>
    public ModuleJson(string file, ReadOnlyMemory<byte> json)
    {
        File = file;
        _document = SmallJson.Parse(file, json, JsonValueKind.Object);
    }

    /// <summary>Its path below the checkpoint.</summary>
    public string File { get; }

    /// <summary>A value; null where the key is not there, or its value is null.</summary>
    public JsonElement? Find(string key)
    {
        _asked.Add(key);
        return _document.RootElement.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <exception cref="ConfigException">The value is no text.</exception>
    public string? Text(string key) => Find(key) is not JsonElement value ? null : TextOf(value) ?? throw Unexpected(key, value, "a text");

    /// <exception cref="ConfigException">The value is neither true nor false.</exception>
    public bool Flag(string key, bool otherwise) => Find(key) is not JsonElement value ? otherwise : value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Unexpected(key, value, "true or false"),
    };

    /// <exception cref="ConfigException">The value is no whole number above 0.</exception>
    public int? Size(string key) => Find(key) is not JsonElement value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size > 0 ? size
        : throw Unexpected(key, value, "a positive number or null");

    /// <exception cref="ConfigException">The value is there, and is another.</exception>
    public void Require(string key, string needed)
    {
        if (Find(key) is JsonElement value && TextOf(value) != needed)
            throw new ConfigException($"{File}: {key} is {value.GetRawText()}; this runtime has {needed} only. The embeddings would not be the model's.");
    }

    /// <summary>The texts of an object by key; null values are left out.</summary>
    /// <exception cref="ConfigException">The value is no such object.</exception>
    public IReadOnlyDictionary<string, string> Texts(string key)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Find(key) is not JsonElement value)
            return texts;
        if (value.ValueKind != JsonValueKind.Object)
            throw Unexpected(key, value, "an object of texts");
        foreach (JsonProperty property in value.EnumerateObject().Where(property => property.Value.ValueKind != JsonValueKind.Null))
            texts[property.Name] = TextOf(property.Value) ?? throw Unexpected($"{key}.{property.Name}", property.Value, "a text");
        return texts;
    }

    /// <summary>The error of a value that is none of what its key can have.</summary>
    public ConfigException Unexpected(string key, JsonElement value, string needed) => new($"{File}: {key} is {value.GetRawText()}; {needed} is needed.");

    /// <summary>What says that there are keys that nobody asked for, with values that mean something; null: there are none.</summary>
    public string? Unread()
    {
        string[] keys = [.. _document.RootElement.EnumerateObject()
            .Where(property => !_asked.Contains(property.Name) && Says(property.Value))
            .Select(property => property.Name)];
        return keys.Length == 0 ? null : $"{File}: {string.Join(", ", keys)} {(keys.Length == 1 ? "is" : "are")} not known here and not used.";
    }

    /// <summary>The keys of the object, in its order.</summary>
    public IEnumerable<string> Keys => _document.RootElement.EnumerateObject().Select(property => property.Name);

    public void Dispose() => _document.Dispose();

    /// <summary>A value that is a text.</summary>
    public static string? TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Says(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };
}
