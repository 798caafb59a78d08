using System.Text;
using System.Text.Json.Nodes;
using ManagedTransformers.Models;

namespace ManagedTransformers.Testing;

/// <summary>
/// Directories with the files of well-known repositories, made of tests/data/published: their small files with the keys that they have there, the
/// tokenizers of tests/data/tokenizers, random weights of a small size, and in place of what this runtime must not read something that nobody can read.
/// </summary>
internal static class PublishedCheckpoint
{
    private static readonly string s_data = Path.Combine(RepositoryRoot.Path, "tests", "data");

    /// <summary>Writes a directory.</summary>
    /// <param name="name">The folder of tests/data/published.</param>
    /// <param name="parent">Where it is made.</param>
    public static string Write(string name, string parent)
    {
        string from = Path.Combine(s_data, "published", name), to = Path.Combine(parent, name);
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "FROM"))
            Put(to, Path.GetRelativePath(from, file), File.ReadAllBytes(file));
        foreach (string[] line in File.ReadLines(Path.Combine(from, "FROM")).Append("pytorch_model.bin").Select(line => line.Split(" = ")))
            Put(to, line[0], line.Length == 1 ? Encoding.UTF8.GetBytes("not to be read\n") : Source(name, line[1]));
        PutWeights(to);
        return to;
    }

    /// <summary>A tokenizer.json as the two oldest of these repositories have it: it cuts and pads, which sentence-transformers overrules.</summary>
    private static byte[] Source(string name, string path)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(RepositoryRoot.Path, path));
        if (!name.StartsWith("all-", StringComparison.Ordinal) || !path.EndsWith("tokenizer.json", StringComparison.Ordinal))
            return bytes;
        JsonNode json = JsonNode.Parse(bytes)!;
        json["truncation"] = JsonNode.Parse("""{"direction": "Right", "max_length": 12, "strategy": "LongestFirst", "stride": 0}""");
        json["padding"] = JsonNode.Parse(
            """{"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}""");
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    /// <summary>Weights under the names that are published, with the buffer of position numbers that files of that time hold.</summary>
    private static void PutWeights(string directory)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllBytes(Path.Combine(directory, "config.json")))!;
        json["initializer_range"] = 0.3;                    // large enough for every layer to count
        PretrainedConfig config = ConfigJson.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()));
        using PretrainedModel model = json["architectures"]![0]!.GetValue<string>().EndsWith("ForSequenceClassification", StringComparison.Ordinal)
            ? (PretrainedModel)PretrainedModels.FromConfig<ISequenceClassifier>(config, seed: 7)
            : (PretrainedModel)PretrainedModels.FromConfig<IBaseModel>(config, seed: 7);
        // A model without a head is published without its family's prefix.
        bool bare = model is IBaseModel;
        string prefix = $"{ModelFamilies.Of(config).BaseModelPrefix}.";
        long[] positions = [.. Enumerable.Range(0, config.Positions.Count).Select(i => (long)i)];
        SafetensorsWriter.Write(Path.Combine(directory, "model.safetensors"),
            [.. model.Weights.Select(weight => TensorEntry.Create(weight, bare ? weight.Name[prefix.Length..] : weight.Name)),
             TensorEntry.Create($"{(bare ? "" : prefix)}embeddings.position_ids", [1, positions.Length], positions)]);
    }

    private static void Put(string directory, string file, byte[] bytes)
    {
        string path = Path.Combine(directory, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }
}
