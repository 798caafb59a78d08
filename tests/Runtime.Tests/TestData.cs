using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Where the repository's models and reference outputs are, and small checkpoints made for a test.</summary>
internal static class TestData
{
    public static string Root { get; } = ManagedTransformers.Testing.RepositoryRoot.Path;

    public static string Model(string name) => Path.Combine(Root, "models", name);

    public static string Reference(string name) => Path.Combine(Root, "tests", "data", "reference", name);

    public static string TokenizerDirectory(string name) => Path.Combine(Root, "tests", "data", "tokenizers", name);

    public static Tokenizer Tokenizer(string name) => ManagedTransformers.Tokenizers.Tokenizer.Load(TokenizerDirectory(name));

    /// <summary>The rows of a .jsonl file as test cases, each named by its number.</summary>
    public static IEnumerable<TestCaseData> Rows(string file)
    {
        int number = 0;
        foreach (string line in File.ReadLines(Reference(file)))
            yield return new TestCaseData(JsonDocument.Parse(line).RootElement).SetArgDisplayNames($"row {++number}");
    }

    /// <summary>A checkpoint of tests/data/cases: its own files, and those that its FROM takes from elsewhere in the repository.</summary>
    public static IReadOnlyDictionary<string, ReadOnlyMemory<byte>> CaseFiles(string name)
    {
        string folder = Path.Combine(Root, "tests", "data", "cases", name);
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (string line in File.ReadLines(Path.Combine(folder, "FROM")).Where(line => line.Length > 0))
            files[line.Split(" = ")[0]] = File.ReadAllBytes(Path.Combine(Root, line.Split(" = ")[1]));
        foreach (string file in Directory.EnumerateFiles(folder).Where(file => Path.GetFileName(file) is not "FROM"))
            files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        return files;
    }

    /// <summary>The new ids of each text, its end token included where one came.</summary>
    public static IReadOnlyList<int[]> GenerateIds(this TextGenerator generator, IReadOnlyList<int[]> prompts, GenerationOptions? options = null) =>
        [.. generator.GenerateSequences(prompts, options).Sequences.Select(one => (int[])[.. one.TokenIds])];

    public static int[] Ints(this JsonElement array) => [.. array.EnumerateArray().Select(element => element.GetInt32())];

    /// <summary>The files of a case in memory: those of its folder, and those that its FROM takes from elsewhere (<c>NAME = PATH</c>).</summary>
    public static Dictionary<string, ReadOnlyMemory<byte>> Case(string name)
    {
        string directory = Path.Combine(Root, "tests", "data", "cases", name);
        var paths = Directory.GetFiles(directory, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(directory, path).Replace('\\', '/'));
        paths.Remove("FROM", out string? from);
        foreach (string[] line in File.ReadLines(from!).Where(line => line.Length > 0).Select(line => line.Split(" = ")))
            paths.Add(line[0], Path.Combine(Root, line[1]));
        return paths.ToDictionary(file => file.Key, file => (ReadOnlyMemory<byte>)File.ReadAllBytes(file.Value));
    }

    /// <summary>A model with random weights, two layers of 16 numbers.</summary>
    public static T Tiny<T>(int vocabSize, int maxTokens = 64, params string[] labels) where T : PretrainedModel =>
        PretrainedModels.FromConfig<T>(TinyBert(vocabSize, maxTokens, labels), seed: 5);

    public static BertConfig TinyBert(int vocabSize, int maxTokens = 64, params string[] labels)
    {
        var config = new BertConfig
        {
            VocabSize = vocabSize, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, IntermediateSize = 32,
            MaxPositionEmbeddings = maxTokens, InitializerRange = 0.3,
        };
        return labels.Length == 0 ? config
            : config with { Id2Label = labels.Select((label, i) => (label, i)).ToDictionary(pair => $"{pair.i}", pair => pair.label) };
    }

    /// <summary>A checkpoint's files in memory: the model as Save writes it, with a tokenizer.</summary>
    public static Dictionary<string, ReadOnlyMemory<byte>> Files(PretrainedModel model, string tokenizer)
    {
        string directory = Directory.CreateTempSubdirectory("mt-test-").FullName;
        try
        {
            model.Save(directory);
            return Directory.GetFiles(directory).Concat(Directory.GetFiles(TokenizerDirectory(tokenizer), "tokenizer*.json"))
                .ToDictionary(path => Path.GetFileName(path), path => (ReadOnlyMemory<byte>)File.ReadAllBytes(path));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
