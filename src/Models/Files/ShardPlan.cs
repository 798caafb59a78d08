using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Models;

/// <summary>Which tensors go into which file, filled in order; the counterpart of <see cref="ShardIndex"/>.</summary>
internal sealed class ShardPlan
{
    private static readonly JsonWriterOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };

    public ShardPlan(IEnumerable<TensorEntry> tensors, long maxShardSize)
    {
        Shards = Split(tensors, maxShardSize);
        FileNames = IsSharded
            ? [.. Enumerable.Range(1, Shards.Count).Select(i => $"model-{i:D5}-of-{Shards.Count:D5}.safetensors")]
            : [Checkpoint.SingleFileName];
    }

    public List<List<TensorEntry>> Shards { get; }
    public IReadOnlyList<string> FileNames { get; }
    public bool IsSharded => Shards.Count > 1;

    public void WriteIndex(Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, Style);
        json.WriteStartObject();
        json.WriteStartObject("metadata"u8);
        json.WriteNumber("total_size"u8, Shards.Sum(shard => shard.Sum(tensor => tensor.ByteLength)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map"u8);
        var files = Shards.Zip(FileNames, (shard, file) => shard.Select(tensor => (tensor.Name, File: file))).SelectMany(pairs => pairs);
        foreach ((string tensor, string file) in files.OrderBy(pair => pair.Name, StringComparer.Ordinal)) json.WriteString(tensor, file);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static List<List<TensorEntry>> Split(IEnumerable<TensorEntry> tensors, long maxShardSize)
    {
        var shards = new List<List<TensorEntry>> { new() };
        long size = 0;
        foreach (TensorEntry tensor in tensors)
        {
            if (shards[^1].Count > 0 && size + tensor.ByteLength > maxShardSize)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.ByteLength;
        }
        return shards;
    }
}
