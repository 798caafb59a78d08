namespace ManagedTransformers;

/// <summary>The small JSON files beside a checkpoint's weights.</summary>
internal static class SmallJson
{
    /// <summary>Parses a file whose top must be of a kind.</summary>
    /// <exception cref="ConfigException">The JSON is broken, or its top is something else.</exception>
    public static JsonDocument Parse(string file, ReadOnlyMemory<byte> json, JsonValueKind top)
    {
        JsonDocument document = JsonText.Parse(file, json, ConfigException.Of);
        if (document.RootElement.ValueKind == top)
            return document;
        JsonValueKind found = document.RootElement.ValueKind;
        document.Dispose();
        throw new ConfigException($"{file} is a JSON {found}; a JSON {top} is needed.");
    }
}
