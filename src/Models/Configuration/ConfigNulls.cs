using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Models;

/// <summary>Keys of a config.json that are null where the configuration needs a value.</summary>
internal static class ConfigNulls
{
    /// <summary>The JSON without them, so that they have the defaults of keys that are missing; switches are off, as None is in Python.</summary>
    /// <param name="json">The file.</param>
    /// <param name="configJson">Which keys need a value.</param>
    /// <returns><paramref name="json"/> itself where no such key is null.</returns>
    public static ReadOnlySpan<byte> Resolve(ReadOnlySpan<byte> json, JsonTypeInfo configJson)
    {
        var reader = new Utf8JsonReader(json);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            return json;
        Dictionary<string, JsonPropertyInfo> needed = configJson.Properties.Where(NeedsValue).ToDictionary(property => property.Name);
        if (!document.RootElement.EnumerateObject().Any(IsResolved))
            return json;
        var resolved = new ArrayBufferWriter<byte>(json.Length);
        using (var writer = new Utf8JsonWriter(resolved))
        {
            writer.WriteStartObject();
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (!IsResolved(property))
                    property.WriteTo(writer);
                else if (needed[property.Name].PropertyType == typeof(bool))
                    writer.WriteBoolean(property.Name, false);
            }
            writer.WriteEndObject();
        }
        return resolved.WrittenSpan;

        bool IsResolved(JsonProperty property) => property.Value.ValueKind == JsonValueKind.Null && needed.ContainsKey(property.Name);
    }

    private static bool NeedsValue(JsonPropertyInfo property) =>
        property.Set is not null && (property.PropertyType == typeof(string) ? !property.IsSetNullable
            : property.PropertyType.IsValueType && Nullable.GetUnderlyingType(property.PropertyType) is null);
}
