using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>What a sentence-transformers checkpoint says about its embeddings: modules.json, the pooling's config.json, and the greatest length.</summary>
/// <param name="ModelFolder">Where the transformer itself lies, empty for the checkpoint's own directory.</param>
/// <param name="Pooling">How tokens become one vector.</param>
/// <param name="Normalize">Whether the vectors have length 1.</param>
/// <param name="MaxSeqLength">The most tokens of a text; null: the model's own limit.</param>
internal sealed record SentenceModules(string ModelFolder, Pooling Pooling, bool Normalize, int? MaxSeqLength)
{
    /// <summary>Reads the files; a checkpoint without modules.json means mean pooling, not normalised.</summary>
    /// <exception cref="ConfigException">A file is broken, or asks for a module or pooling that this runtime does not have.</exception>
    public static SentenceModules Read(ModelFiles files)
    {
        var modules = new SentenceModules("", Pooling.Mean, Normalize: false, MaxSeqLength: null);
        if (files.Find("modules.json") is ReadOnlyMemory<byte> json)
        {
            foreach ((string type, string path) in Modules(json))
            {
                modules = type[(type.LastIndexOf('.') + 1)..] switch
                {
                    "Transformer" => modules with { ModelFolder = path },
                    "Pooling" => modules with { Pooling = ReadPooling(files, path.Length == 0 ? "config.json" : $"{path.TrimEnd('/')}/config.json") },
                    "Normalize" => modules with { Normalize = true },
                    _ => throw new ConfigException($"modules.json names the module {type}, which this runtime does not have; Transformer, " +
                        "Pooling and Normalize are known. The embeddings would not be the model's."),
                };
            }
        }
        string folder = modules.ModelFolder.Length == 0 ? "" : modules.ModelFolder.TrimEnd('/') + "/";
        return files.Find($"{folder}sentence_bert_config.json") is ReadOnlyMemory<byte> limits
            ? modules with { MaxSeqLength = ReadMaxSeqLength(limits) }
            : modules;
    }

    private static List<(string Type, string Path)> Modules(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = SmallJson.Parse("modules.json", json, JsonValueKind.Array);
        var modules = new List<(string, string)>();
        foreach (JsonElement module in document.RootElement.EnumerateArray())
        {
            if (module.ValueKind != JsonValueKind.Object || !module.TryGetProperty("type", out JsonElement type) || type.ValueKind != JsonValueKind.String)
                throw new ConfigException("modules.json: an entry has no \"type\"; each needs one, such as sentence_transformers.models.Pooling.");
            string path = module.TryGetProperty("path", out JsonElement p) && p.ValueKind == JsonValueKind.String ? p.GetString()! : "";
            if (path.Contains('\0', StringComparison.Ordinal) || Path.IsPathRooted(path) || path.Split('/', '\\').Contains(".."))
                throw new ConfigException($"modules.json: the path \"{path}\" leads out of the checkpoint; a folder inside is needed. " +
                    "Nothing is read from there.");
            modules.Add((type.GetString()!, path is "." or "./" ? "" : path));
        }
        return modules;
    }

    private static Pooling ReadPooling(ModelFiles files, string file)
    {
        ReadOnlyMemory<byte> json = files.Find(file) ?? throw new ConfigException($"modules.json names {file}, which is missing. " +
            "Download it with the checkpoint.");
        using JsonDocument document = SmallJson.Parse(file, json, JsonValueKind.Object);
        string[] modes = [.. document.RootElement.EnumerateObject()
            .Where(p => p.Name.StartsWith("pooling_mode_", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.True)
            .Select(p => p.Name)];
        return modes switch
        {
            ["pooling_mode_cls_token"] => Pooling.Cls,
            ["pooling_mode_mean_tokens"] => Pooling.Mean,
            ["pooling_mode_max_tokens"] => Pooling.Max,
            _ => throw new ConfigException($"{file} turns on [{string.Join(", ", modes)}]; exactly one of pooling_mode_cls_token, " +
                "pooling_mode_mean_tokens and pooling_mode_max_tokens is supported."),
        };
    }

    private static int? ReadMaxSeqLength(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = SmallJson.Parse("sentence_bert_config.json", json, JsonValueKind.Object);
        if (!document.RootElement.TryGetProperty("max_seq_length", out JsonElement length) || length.ValueKind == JsonValueKind.Null)
            return null;
        return length.ValueKind == JsonValueKind.Number && length.TryGetInt32(out int value) && value > 0
            ? value
            : throw new ConfigException($"sentence_bert_config.json: max_seq_length is {length.GetRawText()}; a positive number or null is needed.");
    }
}
