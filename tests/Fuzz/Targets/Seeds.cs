using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Fuzz;

/// <summary>Small inputs, made here or of files of the tests.</summary>
internal static class Seeds
{
    private static readonly JsonSerializerOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Data { get; } = Path.Combine(RepositoryRoot.Path, "tests", "data");

    public static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    public static byte[] Of(params string[] path) => File.ReadAllBytes(Path.Combine([Data, .. path]));

    /// <summary>The contents of the files of one name below a folder, each content once.</summary>
    public static IEnumerable<byte[]> Named(string pattern, int longest = 4096, params string[] folder) =>
        Directory.EnumerateFiles(Path.Combine([Data, .. folder]), pattern, SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Where(path => new FileInfo(path).Length <= longest)
            .Select(File.ReadAllBytes)
            .DistinctBy(Convert.ToHexString);

    /// <summary>The small files of a checkpoint as one input, with their paths below it.</summary>
    public static byte[] Folder(string folder, Func<string, bool> isWanted) => Bundle.Write(
        Directory.EnumerateFiles(Path.Combine(Data, folder), "*", SearchOption.AllDirectories)
            .Select(path => (Path: path, Name: Path.GetRelativePath(Path.Combine(Data, folder), path).Replace('\\', '/')))
            .Where(file => isWanted(file.Name))
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .Select(file => KeyValuePair.Create(file.Name, File.ReadAllBytes(file.Path))));

    /// <summary>A safetensors file of every element type, and its header alone.</summary>
    public static byte[] Safetensors(IReadOnlyDictionary<string, string>? metadata, params TensorEntry[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, metadata);
        return stream.ToArray();
    }

    /// <summary>A tensor of small numbers.</summary>
    public static TensorEntry Tensor(string name, ElementType type, params long[] shape) =>
        new(name, type, shape, Enumerable.Range(0, (int)type.ByteLength(shape)).Select(i => (byte)(i % 3)).ToArray());

    /// <summary>A tokenizer.json of the tests with the first of its tokens alone, and without its map of characters.</summary>
    public static byte[] Tokenizer(string name, int tokens)
    {
        JsonNode json = JsonNode.Parse(Of("tokenizers", name, "tokenizer.json"))!;
        JsonNode model = json["model"]!;
        if (model["vocab"] is JsonArray pieces)
            model["vocab"] = new JsonArray([.. pieces.Take(tokens).Select(piece => piece!.DeepClone())]);
        if (model["vocab"] is JsonObject vocabulary)
        {
            Dictionary<string, int> kept = vocabulary.Where(entry => (int)entry.Value! < tokens)
                .ToDictionary(entry => entry.Key, entry => (int)entry.Value!);
            model["vocab"] = new JsonObject(kept.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value)));
            if (model["merges"] is JsonArray merges)
                model["merges"] = new JsonArray([.. merges.Where(merge => Fits(merge!, kept)).Select(merge => merge!.DeepClone())]);
        }
        if (json["normalizer"] is JsonObject normalizer)
            json["normalizer"] = Without(normalizer);
        return Utf8(json.ToJsonString(s_compact));
    }

    private static JsonObject Without(JsonObject normalizer)
    {
        if ((string)normalizer["type"]! == "Precompiled")
            return new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = Convert.ToBase64String(CharacterMap()) };
        if (normalizer["normalizers"] is not JsonArray parts)
            return (JsonObject)normalizer.DeepClone();
        return new JsonObject
        {
            ["type"] = "Sequence", ["normalizers"] = new JsonArray([.. parts.Select(part => (JsonNode)Without((JsonObject)part!.DeepClone()))]),
        };
    }

    private static bool Fits(JsonNode merge, Dictionary<string, int> kept)
    {
        string[] two = merge is JsonArray pair ? [(string)pair[0]!, (string)pair[1]!] : ((string)merge!).Split(' ');
        return two.Length == 2 && kept.ContainsKey(two[0]) && kept.ContainsKey(two[1]) && kept.ContainsKey(two[0] + two[1]);
    }

    /// <summary>A map of characters: a becomes bc, é becomes e.</summary>
    public static byte[] CharacterMap()
    {
        const uint Leaf = 0x100;
        var units = new uint[1024];
        units[0] = 256 << 10;                                       // the root's children lie from 256 on
        units[256 ^ 'a'] = 'a' | Leaf | ((256u ^ 'a' ^ 512) << 10);
        units[512] = 0;                                             // the text at 0
        units[256 ^ 0xC3] = 0xC3 | ((256u ^ 0xC3 ^ 768) << 10);
        units[768 ^ 0xA9] = 0xA9 | Leaf | ((768u ^ 0xA9 ^ 513) << 10);
        units[513] = 3;
        return [.. BitConverter.GetBytes(4 * units.Length), .. units.SelectMany(BitConverter.GetBytes), .. "bc\0e\0"u8];
    }
}
