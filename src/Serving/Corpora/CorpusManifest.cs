using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Serving;

/// <summary>The file that says which job a directory belongs to, and what its shards have.</summary>
internal static class CorpusManifest
{
    public const string FileName = "manifest.json";

    private static readonly JsonWriterOptions s_json = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What tells jobs apart: the task with its model and options, the input's content, and how it is read and cut.</summary>
    public static (string Name, string? Value)[] PartsOf(CorpusInput input, IEnumerable<(string Name, string? Value)> settings, CorpusOptions options) =>
    [
        .. settings, ("input_bytes", input.File.Length.ToString(CultureInfo.InvariantCulture)), ("input_sha256", input.Sha256),
        ("text_field", options.TextField), ("id_field", options.IdField), ("shard_bytes", options.ShardBytes.ToString(CultureInfo.InvariantCulture)),
    ];

    /// <summary>What two jobs differ in, in words; empty: nothing.</summary>
    /// <param name="there">The parts of one, said of as "there".</param>
    /// <param name="here">Those of the other.</param>
    public static string Difference(IEnumerable<(string Name, string? Value)> there, IEnumerable<(string Name, string? Value)> here)
    {
        var (one, other) = (Named(there), Named(here));
        return string.Join(", ", other.Keys.Union(one.Keys)
            .Where(name => one.GetValueOrDefault(name) != other.GetValueOrDefault(name))
            .Select(name => $"{name} ({one.GetValueOrDefault(name) ?? "none"} there, {other.GetValueOrDefault(name) ?? "none"} here)"));

        static Dictionary<string, string?> Named(IEnumerable<(string Name, string? Value)> parts) =>
            parts.ToDictionary(part => part.Name, part => part.Value, StringComparer.Ordinal);
    }

    /// <summary>Hexadecimal digits of them.</summary>
    public static string FingerprintOf(IEnumerable<(string Name, string? Value)> parts)
    {
        // With the length before each, two lists of parts are never one text. What is not set says nothing.
        string text = string.Concat(parts.Where(part => part.Value is not null)
            .Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Name}:{part.Value!.Length}:{part.Value};")));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));
    }

    /// <summary>Its content.</summary>
    /// <param name="input">The input.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="parts">What tells the job from others.</param>
    /// <param name="counts">What each shard has; null: it is not done.</param>
    public static byte[] Write(CorpusInput input, string model, IReadOnlyList<(string Name, string? Value)> parts, IReadOnlyList<ShardCounts?> counts)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, s_json);
        json.WriteStartObject();
        json.WriteString("fingerprint"u8, FingerprintOf(parts));
        json.WriteBoolean("complete"u8, counts.All(one => one is not null));
        json.WriteNumber("texts"u8, counts.Sum(one => one?.Texts ?? 0));
        json.WriteNumber("set_aside"u8, counts.Sum(one => one?.SetAside ?? 0));
        json.WriteString("input"u8, Path.GetFileName(input.File.Path));
        json.WriteString("model"u8, model);
        json.WriteStartObject("job"u8);
        foreach ((string name, string? value) in parts) json.WriteString(name, value);
        json.WriteEndObject();
        json.WriteStartArray("shards"u8);
        foreach (CorpusShard shard in input.Shards) Write(json, shard, counts[shard.Number]);
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Write(CorpusInput, string, IReadOnlyList{ValueTuple{string, string}}, IReadOnlyList{ShardCounts?})"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The job's parts, and the counts of its shards.</returns>
    /// <exception cref="CorpusException">It is no manifest, or a damaged one.</exception>
    public static ((string Name, string? Value)[] Parts, ShardCounts?[] Counts) Read(string path)
    {
        using JsonDocument document = JsonText.Parse(path, File.ReadAllBytes(path), (message, inner) => new CorpusException(message, inner));
        try
        {
            JsonElement root = document.RootElement;
            (string, string?)[] parts = [.. root.GetProperty("job"u8).EnumerateObject()
                .ToDictionary(part => part.Name, part => part.Value.GetString(), StringComparer.Ordinal)          // refuses a name that is there twice
                .Select(part => (part.Key, part.Value))];
            return (parts, [.. root.GetProperty("shards"u8).EnumerateArray().Select(CountsOf)]);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
        {
            throw new CorpusException($"{path} is no manifest of a job: {e.Message} Choose another directory, or have what is there replaced.", e);
        }
    }

    private static void Write(Utf8JsonWriter json, CorpusShard shard, ShardCounts? counts)
    {
        json.WriteStartObject();
        json.WriteString("file"u8, shard.FileName);
        json.WriteString("state"u8, counts is null ? "pending" : "done");
        json.WriteNumber("offset"u8, shard.Offset);
        json.WriteNumber("length"u8, shard.Length);
        json.WriteNumber("first_line"u8, shard.FirstLine);
        if (counts is ShardCounts has)
        {
            json.WriteNumber("texts"u8, has.Texts);
            json.WriteNumber("set_aside"u8, has.SetAside);
            json.WriteNumber("bytes"u8, has.Bytes);
        }
        json.WriteEndObject();
    }

    private static ShardCounts? CountsOf(JsonElement shard) => shard.GetProperty("state"u8).GetString() == "done"
        ? new ShardCounts(shard.GetProperty("texts"u8).GetInt64(), shard.GetProperty("set_aside"u8).GetInt64(), shard.GetProperty("bytes"u8).GetInt64())
        : null;
}
