using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Models;

/// <summary>The files next to the weights: configuration, tokenizer, model card.</summary>
internal static class CompanionFiles
{
    private static readonly string[] Extensions = [".json", ".txt", ".model", ".jinja", ".md"];
    private const string Modules = "modules.json";
    private static readonly JsonWriterOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };

    /// <summary>
    /// The names of those that come along: also config.json of the folders that sentence-transformers puts its modules in, and weights that lie there (Dense).
    /// </summary>
    public static IEnumerable<string> Names(string directory, CheckpointSource source)
    {
        IEnumerable<string> files = source.Names.Where(name => !name.StartsWith('.') && !name.EndsWith(".index.json", StringComparison.Ordinal)
            && (Extensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase) || name.StartsWith("LICENSE", StringComparison.Ordinal)));
        IEnumerable<string> modules = Directory.EnumerateDirectories(directory)
            .Select(folder => $"{Path.GetFileName(folder)}/{ConfigJson.FileName}")
            .Where(name => !name.StartsWith('.') && source.Contains(name));
        IEnumerable<string> weights = ModuleFolders(source)
            .SelectMany(folder => new[] { $"{folder}/{Checkpoint.SingleFileName}", $"{folder}/{Checkpoint.TorchFileName}" }).Where(source.Contains);
        return files.Concat(modules.Concat(weights).Order(StringComparer.Ordinal));
    }

    /// <summary>Says which files of another checkpoint stay in a directory, and are read with the new weights; null: none.</summary>
    /// <param name="source">Where the new checkpoint comes from.</param>
    /// <param name="directory">Where it goes.</param>
    /// <param name="brought">What comes along.</param>
    public static string? Strangers(string source, string directory, IReadOnlyCollection<string> brought)
    {
        string[] names = [.. CompanionNames.Read.Where(name => !brought.Contains(name) && File.Exists(Path.Combine(directory, name)))];
        return names.Length == 0 ? null
            : $"{string.Join(", ", names)} of {directory} stay, and are read with the new weights, since {source} has no such files. " +
                "Unless they belong to this model, remove them, or convert to a new directory.";
    }

    /// <summary>
    /// The folders that modules.json names, but for the transformer's, whose weights are those that are converted; none where it cannot be read.
    /// </summary>
    private static string[] ModuleFolders(CheckpointSource source)
    {
        if (!source.Contains(Modules)) return [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(source.ReadWhole(Modules));
            return [.. document.RootElement.EnumerateArray()
                .Where(module => module.GetProperty("type").GetString()?.EndsWith(".Transformer", StringComparison.Ordinal) == false)
                .Select(module => module.GetProperty("path").GetString() ?? "")
                .Where(path => path.Length > 0 && path == Path.GetFileName(path) && path != "..")];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return [];              // it is copied as it is, and whoever embeds with it is told what is wrong
        }
    }

    /// <summary>config.json with torch_dtype (dtype in files of transformers 5) as the weights are now; everything else as it was.</summary>
    /// <param name="json">The file.</param>
    /// <param name="type">The type of all floats; null where there are several, and the file is left as it is.</param>
    /// <exception cref="ConfigException">It is no JSON object.</exception>
    public static ReadOnlyMemory<byte> WithType(ReadOnlyMemory<byte> json, ElementType? type)
    {
        if (TorchName(type) is not string name) return json;
        try
        {
            using JsonDocument document = JsonText.Parse(ConfigJson.FileName, json, ConfigException.Of);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new JsonException("It is not an object.");
            string key = document.RootElement.TryGetProperty("dtype", out _) ? "dtype" : "torch_dtype";
            if (document.RootElement.TryGetProperty(key, out JsonElement old) && old.ValueKind == JsonValueKind.String && old.ValueEquals(name)) return json;
            return Rewrite(document.RootElement, key, name);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ConfigException($"{ConfigJson.FileName} cannot be read: {e.Message} Is the file complete?", e);
        }
    }

    private static byte[] Rewrite(JsonElement config, string key, string value)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Style))
        {
            bool written = false;
            json.WriteStartObject();
            foreach (JsonProperty property in config.EnumerateObject())
            {
                bool isType = property.NameEquals(key);
                if (isType && !written) json.WriteString(key, value);
                if (!isType) property.WriteTo(json);
                written |= isType;
            }
            if (!written) json.WriteString(key, value);
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static string? TorchName(ElementType? type) => type switch
    {
        ElementType.F64 => "float64",
        ElementType.F32 => "float32",
        ElementType.F16 => "float16",
        ElementType.BF16 => "bfloat16",
        null => null,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of floats."),
    };
}
