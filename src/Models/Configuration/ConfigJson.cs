using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ManagedTransformers.Models;

/// <summary>config.json ↔ configuration records.</summary>
internal static class ConfigJson
{
    /// <summary>The file's name in a checkpoint directory.</summary>
    public const string FileName = "config.json";

    /// <summary>The bytes of a directory's config.json. Nothing outside the directory is read.</summary>
    /// <exception cref="ConfigException">There is none.</exception>
    /// <exception cref="CheckpointException">The directory is missing, or the file cannot be read or is a link that leads out of it.</exception>
    public static ReadOnlyMemory<byte> ReadFile(string directory)
    {
        var source = new DirectorySource(directory);
        return source.Contains(FileName)
            ? source.ReadWhole(FileName)
            : throw new ConfigException($"{source.Description} holds no {FileName}; it is needed to know the architecture. Download it with the weights.");
    }

    /// <summary>What messages call the file of a directory: its absolute path.</summary>
    public static string PathIn(string directory) => Path.Combine(Path.GetFullPath(directory), FileName);

    /// <summary>Reads a config.json, chooses the record by its model_type and validates it.</summary>
    /// <param name="json">The file's bytes, UTF-8.</param>
    /// <param name="file">What to call the file in errors.</param>
    /// <exception cref="ConfigException">The JSON is broken, a value has the wrong type or is impossible, or the model_type is unknown.</exception>
    public static PretrainedConfig Parse(ReadOnlySpan<byte> json, string file = FileName)
    {
        json = JsonText.Check(file, json.ToArray(), ConfigException.Of).Span;
        string modelType = ReadModelType(json, file)
            ?? throw new ConfigException($"{file} has no model_type (nor an architecture that says it). Known are {ModelFamilies.Names}.");
        ModelFamily family = ModelFamilies.OfType(modelType)
            ?? throw new ConfigException($"{file}: model_type is \"{modelType}\", which this runtime does not have. Known are {ModelFamilies.Names}.");
        PretrainedConfig config = Read(json, file, family);
        config.File = file;
        config.Validate();
        return config;
    }

    private static PretrainedConfig Read(ReadOnlySpan<byte> json, string file, ModelFamily family)
    {
        try
        {
            PretrainedConfig config = family.ReadConfig(json)!;                // an object, so it is not null
            RequireFinite(config, family.ConfigTypes, file);
            return config;
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{ConfigTypeError.Describe(file, json, e, family.ConfigTypes)} Correct the value.", e);
        }
    }

    /// <summary>Numbers beyond a double's range, such as 1e999, are read as infinite; nothing computes with them, and JSON cannot say them.</summary>
    private static void RequireFinite(object value, JsonTypeInfo type, string path)
    {
        foreach (JsonPropertyInfo property in type.Properties)
        {
            if (property.PropertyType == typeof(double) || property.PropertyType == typeof(double?))
            {
                if (property.Get?.Invoke(value) is double number && !double.IsFinite(number))
                    throw new ConfigException($"{path}: {property.Name} is {number}; a finite number is needed. Correct the value.");
            }
            else if (property.PropertyType == typeof(RopeScaling) && property.Get?.Invoke(value) is object inner)
            {
                RequireFinite(inner, type.Options.GetTypeInfo(property.PropertyType), $"{path}: {property.Name}");
            }
        }
    }

    /// <summary>Writes a configuration as transformers' save_pretrained does.</summary>
    /// <exception cref="ConfigException">Its family is not registered.</exception>
    public static byte[] Write(PretrainedConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return ModelFamilies.Of(config).WriteConfig(config);
    }

    /// <summary>model_type, or what the name of the first architecture begins with in files that lack it.</summary>
    private static string? ReadModelType(ReadOnlySpan<byte> json, string file)
    {
        var reader = new Utf8JsonReader(json);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new ConfigException($"{file} is {ConfigTypeError.Show(document.RootElement)}; an object is needed. Is it another file?");
        if (document.RootElement.TryGetProperty("model_type", out JsonElement type) && type.ValueKind != JsonValueKind.Null)
        {
            return type.ValueKind == JsonValueKind.String
                ? type.GetString()
                : throw new ConfigException($"{file}: model_type is {ConfigTypeError.Show(type)}; a string is needed. Known are {ModelFamilies.Names}.");
        }
        if (!document.RootElement.TryGetProperty("architectures", out JsonElement list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            return null;
        string name = list[0].ValueKind == JsonValueKind.String ? list[0].GetString()! : "";
        return ModelFamilies.Guess(name)?.ModelType;
    }
}

/// <summary>id2label: names by number. Names that are numbers count as their text, as transformers prints them.</summary>
public sealed class LabelsConverter : JsonConverter<IReadOnlyDictionary<string, string>>
{
    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("Labels are an object: a name for every number.");
        var labels = new Dictionary<string, string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string id = reader.GetString()!;
            reader.Read();
            labels[id] = reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString()!,
                JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(reader.ValueSpan),
                _ => throw new JsonException($"The label of number {id} is no text and no number."),
            };
        }
        return labels;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach ((string id, string label) in value)
            writer.WriteString(id, label);
        writer.WriteEndObject();
    }
}

/// <summary>eos_token_id: a number, a list of numbers, or null.</summary>
public sealed class TokenIdsConverter : JsonConverter<IReadOnlyList<int>>
{
    /// <inheritdoc/>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    public override IReadOnlyList<int> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return [];
        if (reader.TokenType == JsonTokenType.Number)
            return [ReadId(ref reader)];
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("A token id is a number, a list of numbers, or null.");
        var ids = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            ids.Add(ReadId(ref reader));
        return ids;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<int> value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        switch (value.Count)
        {
            case 0: writer.WriteNullValue(); break;
            case 1: writer.WriteNumberValue(value[0]); break;
            default:
                writer.WriteStartArray();
                foreach (int id in value)
                    writer.WriteNumberValue(id);
                writer.WriteEndArray();
                break;
        }
    }

    private static int ReadId(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int id) ? id : throw new JsonException("A token id is not a 32-bit number.");
}
