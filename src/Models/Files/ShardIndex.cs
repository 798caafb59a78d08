using System.Text.Json;
using System.Text.Unicode;

namespace ManagedTransformers.Models;

/// <summary>A <c>model.safetensors.index.json</c> or <c>pytorch_model.bin.index.json</c>: which shard holds which tensor.</summary>
internal sealed class ShardIndex
{
    private readonly string _file;
    private readonly OrderedDictionary<string, string> _weightMap = new(StringComparer.Ordinal);

    private ShardIndex(string file) => _file = file;

    /// <summary>Tensor name → shard file name, in the order of the file.</summary>
    public IReadOnlyDictionary<string, string> WeightMap => _weightMap;

    /// <summary>The shards, each once, in the order in which they first occur.</summary>
    public IReadOnlyList<string> Shards => [.. _weightMap.Values.Distinct(StringComparer.Ordinal)];

    /// <summary>Parses an index. Other fields than weight_map (the informative metadata.total_size) are skipped.</summary>
    /// <exception cref="CheckpointException">It is no JSON object with a weight_map of strings, or names a tensor twice.</exception>
    public static ShardIndex Parse(ReadOnlySpan<byte> json, string file)
    {
        var index = new ShardIndex(file);
        if (GitLfsPointer.Problem(file, json) is string pointer) throw new CheckpointException(pointer) { FileName = file };
        if (!Utf8.IsValid(json)) throw index.Bad("It is not valid UTF-8.");
        if (json.StartsWith("\uFEFF"u8)) json = json[3..];
        try
        {
            index.Read(new Utf8JsonReader(json));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw index.Bad($"It is not valid JSON: {e.Message}", e);
        }
        return index;
    }

    /// <summary>What is wrong with the name of a shard, or null. Shards are in the folder of the index, nowhere else.</summary>
    public static string? NameProblem(string shard, string extension)
    {
        if (shard.Length == 0) return "An empty shard name.";
        string shown = SafetensorsHeader.Shown(shard);
        if (shard is "." or ".." || shard.AsSpan().IndexOfAny(['/', '\\', ':', '\0']) >= 0)
            return $"The shard name \"{shown}\" is a path; only names of files beside the index are allowed.";
        return shard.EndsWith(extension, StringComparison.Ordinal) ? null : $"The shard \"{shown}\" is not a {extension} file.";
    }

    private void Read(Utf8JsonReader json)
    {
        bool found = false;
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject) throw Bad("It is not a JSON object; needed is {\"weight_map\": {…}}.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (!json.ValueTextEquals("weight_map"u8))
            {
                json.Skip();
                continue;
            }
            if (found) throw Bad("It has weight_map twice.");
            found = true;
            ReadWeightMap(ref json);
        }
        json.Read();                                       // throws where anything but white space follows
        if (!found) throw Bad("It has no weight_map, which says in which file each tensor is.");
    }

    private void ReadWeightMap(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject) throw Bad("Its weight_map is not an object of tensor names and file names.");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string tensor = json.GetString()!;
            json.Read();
            if (json.TokenType != JsonTokenType.String) throw Bad($"weight_map[\"{SafetensorsHeader.Shown(tensor)}\"] is not a file name.");
            if (!_weightMap.TryAdd(tensor, json.GetString()!)) throw Bad($"weight_map has \"{SafetensorsHeader.Shown(tensor)}\" twice.");
        }
    }

    private CheckpointException Bad(string what, Exception? cause = null) =>
        new($"{_file}: {what} Download the index again, or export the model again.", cause) { FileName = _file };
}
