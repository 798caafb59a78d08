using System.Text.Json;

namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Where the test data lies: in the project, or (what may not be committed) in ../shared next to it.</summary>
internal static class TestFiles
{
    /// <summary>All tokenizers that there are reference outputs of.</summary>
    public static readonly string[] Names =
    [
        "roberta-code-8k", "codegen-python-8k", "digits-python-8k", "wordpiece-code-4k",
        "qwen2-code-4k", "llama3-code-4k", "mpnet-code-4k", "llama-code-4k", "llama-code-4k-metaspace",
        "xlmr-multi-8k", "xlmr-multi-8k-2020", "camembert-multi-8k", "phi3-llama2",
        "codegen", "codegen2", "starencoder", "bert-base-uncased", "bert-base-multilingual-cased",
    ];

    private static readonly string Root = ManagedTransformers.Testing.RepositoryRoot.Path;

    /// <summary>A tokenizer's directory; the test is skipped where it is missing.</summary>
    public static string Tokenizer(string name) => Find(Path.Combine("tokenizers", name), Directory.Exists);

    /// <summary>A file or directory of tests/data/cases.</summary>
    public static string Case(string path) => Path.Combine(Root, "tests", "data", "cases", path);

    /// <summary>A file of a demo model.</summary>
    public static string Model(string name, string file) => Path.Combine(Root, "models", name, file);

    /// <summary>The rows of a file of reference outputs; the test is skipped where it is missing.</summary>
    public static JsonElement[] Reference(string file) =>
        [.. File.ReadLines(Find(Path.Combine("reference", "tokenizers", file), File.Exists)).Select(line => JsonDocument.Parse(line).RootElement)];

    private static string Find(string path, Predicate<string> exists)
    {
        string committed = Path.Combine(Root, "tests", "data", path);
        if (exists(committed)) return committed;
        string[] shared = [Path.Combine(Root, "..", "shared", path), Path.Combine(Root, "..", "shared", "families", path)];
        string? found = Array.Find(shared, exists);
        if (found is null) Assert.Ignore($"{path} may not be part of the project and is not in ../shared next to it.");
        return found!;
    }
}
