using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Models;

/// <summary>A value of a config.json that is of another JSON type than its key needs, in words.</summary>
internal static class ConfigTypeError
{
    private const int LongestShown = 60;

    /// <summary>Where, what was found, and what is needed.</summary>
    /// <param name="file">What to call the file.</param>
    /// <param name="json">Its bytes.</param>
    /// <param name="error">What reading it threw.</param>
    /// <param name="config">The types that it is read into.</param>
    public static string Describe(string file, ReadOnlySpan<byte> json, JsonException error, JsonTypeInfo config)
    {
        var reader = new Utf8JsonReader(json);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        (JsonElement found, JsonTypeInfo type, JsonPropertyInfo? property, Type? item) = (document.RootElement, config, null, null);
        string key = error.Path is ['$', '.', ..] path ? path[2..] : "";
        foreach (string step in key.Split(['.', '[', ']'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (found.ValueKind == JsonValueKind.Array && int.TryParse(step, out int index) && index < found.GetArrayLength())
            {
                (found, item) = (found[index], property?.PropertyType.GenericTypeArguments.FirstOrDefault());
                continue;
            }
            if (property is not null)
                type = config.Options.GetTypeInfo(property.PropertyType);
            property = type.Properties.FirstOrDefault(one => one.Name == step);
            if (property is null || found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(step, out found))
                return $"{file}: {key}: {error.Message}";
        }
        if (property is null)
            return $"{file}: {error.Message}";
        // A converter says in its own words what it needs.
        return property.CustomConverter is null && Needed(item ?? property.PropertyType, config.Options) is string needed
            ? $"{file}: {key} is {Show(found)}; {needed}{(item is null && MayBeNull(property) ? " or null" : "")} is needed."
            : $"{file}: {key} is {Show(found)}. {error.Message}";
    }

    /// <summary>A value as the file has it; long ones by their kind.</summary>
    public static string Show(JsonElement value) => value.GetRawText() switch
    {
        { Length: <= LongestShown } text when !text.Contains('\n') => text,
        _ when value.ValueKind == JsonValueKind.Object => "an object",
        _ when value.ValueKind == JsonValueKind.Array => "a list",
        string text => $"{text[..LongestShown].Split('\n')[0]}…",
    };

    private static string? Needed(Type type, JsonSerializerOptions options)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum ? null : Type.GetTypeCode(type) switch
        {
            TypeCode.Boolean => "true or false",
            TypeCode.String => "a string",
            TypeCode.Single or TypeCode.Double or TypeCode.Decimal => "a number",
            TypeCode.Int32 => "a whole number of 32 bits",
            >= TypeCode.SByte and <= TypeCode.UInt64 => "a whole number",
            _ when type == typeof(IReadOnlyList<string>) => "a list of strings",
            _ => options.GetTypeInfo(type).Kind switch
            {
                JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary => "an object",
                JsonTypeInfoKind.Enumerable => "a list",
                _ => null,
            },
        };
    }

    private static bool MayBeNull(JsonPropertyInfo property) =>
        property.PropertyType.IsValueType ? Nullable.GetUnderlyingType(property.PropertyType) is not null : property.IsSetNullable;
}
