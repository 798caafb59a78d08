using ManagedTransformers.Hub;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Every writer, in every form.</summary>
internal static class WriterCases
{
    public const string PulledModel = "acme/language";
    private const string Prompt = "def add(a, b):";

    private static readonly string Llama = Folders.Case("llama-bf16-sharded"), Gpt2 = Folders.Case("gpt2-f16");
    private static readonly string Code = Path.Combine(Folders.Repository, "models", "demo-codegen");
    private static readonly string[] Replaced = ["--force"], Shards = ["--dtype", "f16", "--max-shard-size", "30KB"];

    private static readonly string[] CorpusCommand =
    [
        "classify", "--corpus", "{0}/in.jsonl", "--out", "{0}/out", "--shard-size", "40",
        "--model", Path.Combine(Folders.Repository, "models", "demo-language-id"),
    ];

    public static IEnumerable<WriterCase> All =>
    [
        Convert("convert to one file", Nothing, [], refuses: true),
        Convert("convert to shards", Nothing, Shards, refuses: true),
        Convert("convert to one file over shards", root => Old(root, Shards), Replaced),
        Convert("convert to shards over one file", root => Old(root, []), [.. Shards, .. Replaced]),
        Convert("convert to one file over one file", root => Old(root, []), Replaced),
        new("convert in place", InPlace, "convert", "{0}/out", "{0}/out", "--dtype", "f16") { RefusesResult = "cannot replace themselves" },
        new("convert to shards in place", InPlace, ["convert", "{0}/out", "{0}/out", .. Shards]) { RefusesResult = "cannot replace themselves" },
        Convert("convert where nothing can be exchanged", root => Old(root, Shards), Replaced) with { RunsInside = true, MayBeBetween = DoesNotOpen },
        new("pull", Nothing, "pull", PulledModel) { Environment = HubEnvironment, MayBeBetween = IsPartlyPulled },
        new("sample", Problems, "sample", "--problems", "{0}/problems", "--model", Code, "--greedy", "--max-new-tokens", "4", "--n", "2", "--out", "{0}/out")
        {
            MayBeBetween = IsPartlySampled,
        },
        new("explain", root => File.WriteAllText(Path.Combine(root, "out"), "old"), "explain", Prompt, "--model", Code, "--out", "{0}/out", "--force"),
        new("explain for the first time", Nothing, "explain", Prompt, "--model", Code, "--out", "{0}/out") { RefusesResult = "exists" },
        new("trace", root => File.WriteAllText(Path.Combine(root, "out"), "old"),
            "trace", "--ids", "1,2,3", "--model", Llama, "--out", "{0}/out", "--force"),
        new("forward", root => File.WriteAllText(Path.Combine(root, "out"), "old"),
            "forward", "--model", Llama, "--inputs", Path.Combine(Llama, "expected.safetensors"), "--output", "{0}/out"),
        new("session", Session, "generate", Prompt + "\n    return", "--model", Code, "--greedy", "--max-new-tokens", "4", "--session", "{0}/out"),
        new("corpus", Corpus, CorpusCommand) { MayBeBetween = HasWholeShards },
        new("corpus over another job", OtherCorpus, [.. CorpusCommand, .. Replaced]) { MayBeBetween = HasWholeShards },
        new("collection", root => File.WriteAllText(Path.Combine(root, "out"), "old"), "collection", "{0}/out") { IsMtx = false },
        new("save", root => Old(root, Shards), "save", Llama, "{0}/out") { IsMtx = false },
        new("vocabulary", OldVocabulary, "vocabulary", Code, "{0}/out") { IsMtx = false, MayBeBetween = HasNoMerges },
    ];

    private static WriterCase Convert(string name, Action<string> prepare, string[] options, bool refuses = false) =>
        new(name, prepare, ["convert", Llama, "{0}/out", .. options]) { RefusesResult = refuses ? "holds a checkpoint already" : null };

    private static void Nothing(string root)
    {
    }

    /// <summary>A checkpoint of another family, with a file and a folder that no conversion touches.</summary>
    private static void Old(string root, string[] options)
    {
        string output = Path.Combine(root, "out");
        MtxRun run = MtxRun.Of(["convert", Gpt2, output, .. options]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        File.WriteAllText(Path.Combine(output, "notes"), "kept");
        Directory.CreateDirectory(Path.Combine(output, "1_Pooling"));
        File.WriteAllText(Path.Combine(output, "1_Pooling", "config.json"), "{}");
    }

    /// <summary>A PyTorch file, beside which safetensors are put.</summary>
    private static void InPlace(string root)
    {
        string output = Directory.CreateDirectory(Path.Combine(root, "out")).FullName;
        File.Copy(Path.Combine(Folders.Repository, "tests", "data", "torch", "zip.bin"), Path.Combine(output, Checkpoint.TorchFileName));
        File.WriteAllText(Path.Combine(output, "config.json"), """{"torch_dtype": "float32"}""");
        File.WriteAllText(Path.Combine(output, "tokenizer.json"), "{}");
    }

    private static bool DoesNotOpen(string root)
    {
        try
        {
            PretrainedModels.Load(Path.Combine(root, "out")).Dispose();
            return false;
        }
        catch (Exception e) when (e is ManagedTransformersException or IOException)
        {
            return true;
        }
    }

    private static Dictionary<string, string> HubEnvironment(string root) => new()
    {
        ["HF_ENDPOINT"] = CrashPointTests.Hub.Address, ["HF_HUB_CACHE"] = Path.Combine(root, "out"), ["HF_TOKEN_PATH"] = Path.Combine(root, "no-token"),
        // strace counts calls by thread: with these all that pull writes is one thread's.
        ["DOTNET_PROCESSOR_COUNT"] = "1", ["DOTNET_ThreadPool_ForceMinWorkerThreads"] = "1", ["DOTNET_ThreadPool_ForceMaxWorkerThreads"] = "1",
    };

    /// <summary>Files have their names when they are whole, and the revision's when all are there.</summary>
    private static bool IsPartlyPulled(string root)
    {
        string repository = Path.Combine(root, "out", "models--acme--language"), snapshot = Path.Combine(repository, "snapshots", HubServer.Commit);
        string[] there = !Directory.Exists(snapshot) ? []
            : [.. Directory.EnumerateFiles(snapshot).Where(path => !path.EndsWith(Unfinished.Suffix, StringComparison.Ordinal))];
        foreach (string path in there)
            if (!File.ReadAllBytes(path).AsSpan().SequenceEqual(CrashPointTests.Hub.Files[Path.GetFileName(path)])) return false;
        string reference = Path.Combine(repository, "refs", "main");
        return !File.Exists(reference) || (File.ReadAllText(reference) == HubServer.Commit && there.Length == CrashPointTests.Hub.Files.Count);
    }

    private static void Problems(string root) => File.WriteAllText(Path.Combine(root, "problems"), """
        {"task_id": "a", "prompt": "def add(a, b):\n"}
        {"task_id": "b", "prompt": "def first(items):\n"}
        """);

    /// <summary>Whole lines, and a torn one at the most, which the next run makes anew.</summary>
    private static bool IsPartlySampled(string root)
    {
        string[] lines = File.ReadAllLines(Path.Combine(root, "out"));
        return lines.Length <= 4 && lines.SkipLast(1).All(line => line.EndsWith("\"}", StringComparison.Ordinal));
    }

    private static void Session(string root)
    {
        MtxRun run = MtxRun.Of("generate", Prompt, "--model", Code, "--greedy", "--max-new-tokens", "4", "--session", Path.Combine(root, "out"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }

    private static void Corpus(string root) => File.WriteAllText(Path.Combine(root, "in.jsonl"), """
        {"text": "def add(a, b):"}
        {"text": "echo $FOO;"}
        no JSON, but a line that is set aside
        {"text": "outcome := rand.Intn(6) + 1"}
        """);

    private static void OtherCorpus(string root)
    {
        Corpus(root);
        MtxRun run = MtxRun.Of([.. CorpusCommand.Select(word => word.Replace("{0}", root, StringComparison.Ordinal)), "--top-k", "1"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }

    /// <summary>Files that have their names are whole, and those of no other job stand beside a manifest.</summary>
    private static bool HasWholeShards(string root)
    {
        string output = Path.Combine(root, "out"), manifest = Path.Combine(output, "manifest.json");
        string[] lines = [.. Directory.GetFiles(output, "*-0*.jsonl").SelectMany(file => File.ReadAllText(file).Split('\n'))];
        return lines.All(line => line.Length == 0 || line.EndsWith("]}", StringComparison.Ordinal) || line.EndsWith("\"}", StringComparison.Ordinal))
            && (!File.Exists(manifest) || File.ReadAllText(manifest).EndsWith("}\n", StringComparison.Ordinal));
    }

    private static void OldVocabulary(string root)
    {
        string output = Directory.CreateDirectory(Path.Combine(root, "out")).FullName;
        File.WriteAllText(Path.Combine(output, "vocab.json"), """{"a":0,"b":1,"ab":2}""");
        File.WriteAllText(Path.Combine(output, "merges.txt"), "#version: 0.2\na b\n");
    }

    private static bool HasNoMerges(string root) => !File.Exists(Path.Combine(root, "out", "merges.txt"));
}
