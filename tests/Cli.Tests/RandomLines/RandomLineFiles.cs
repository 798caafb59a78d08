using System.Text;

namespace ManagedTransformers.Cli.Tests;

/// <summary>The files that random command lines name: inputs, which stay as they are, and a folder to write to.</summary>
internal sealed class RandomLineFiles
{
    private static readonly string[] Cases = ["bert-embed", "codegen-f16"];

    private readonly string _in;
    private readonly string[] _inputs;
    private readonly Dictionary<string, (long Length, DateTime Written)> _before;

    /// <summary>Writes them below <paramref name="root"/>.</summary>
    public RandomLineFiles(string root)
    {
        _in = Directory.CreateDirectory(Path.Combine(root, "in")).FullName;
        Folder = Directory.CreateDirectory(Path.Combine(root, "work")).FullName;
        Write("empty", []);
        Write("text.txt", "def add(a, b):\n    return a + b\n"u8);
        Write("code.py", "def f(x):\n    <cursor>\n    return x\n"u8);
        Write("bytes.bin", [0x61, 0xFF, 0xFE, 0x00, 0x62]);
        Write("texts.jsonl", "\"a\"\n\n\"b\\u001b[2J\"\n17\n"u8);
        Write("requests.jsonl", "{\"prompt\": \"def f\", \"max_new_tokens\": 2}\n{\"prompt\": 5}\n"u8);
        Write("problems.jsonl", "{\"task_id\": \"t/0\", \"prompt\": \"def f(x):\\n\", \"entry_point\": \"f\"}\n"u8);
        Write("long.txt", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("x = [1, 2]\n", 400))));
        Write("broken.safetensors", [.. "\u0010\0\0\0\0\0\0\0{\"a\":"u8]);
        string broken = Path.Combine(_in, "broken-model");
        Directory.CreateDirectory(broken);
        File.WriteAllText(Path.Combine(broken, "config.json"), "{\"model_type\": \"\u001b[31m\", \"architectures\": [null]}");
        File.WriteAllText(Path.Combine(broken, "tokenizer.json"), "{\"model\": {\"type\": \"\\u001b[2J\"}}");
        foreach (string name in Cases)
        {
            string copy = Directory.CreateDirectory(Path.Combine(_in, name)).FullName;
            foreach (string file in Directory.EnumerateFiles(Folders.Case(name)))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }
        _inputs = [.. Directory.EnumerateFileSystemEntries(_in).Order(StringComparer.Ordinal), Path.Combine(_in, "missing"), _in];
        _before = Snapshot();
    }

    /// <summary>The current directory of the runs, the only place where they may write.</summary>
    public string Folder { get; }

    /// <summary>Any of the inputs.</summary>
    public string Input(Random random) => _inputs[random.Next(_inputs.Length)];

    /// <summary>A file to write, of which some are there already.</summary>
    public string Output(Random random) => Path.Combine(random.Next(2) == 0 ? "" : Folder, $"out{random.Next(4)}{(random.Next(2) == 0 ? "" : ".safetensors")}");

    /// <summary>A file of activations, mostly.</summary>
    public string Activations(Random random) => random.Next(3) switch
    {
        0 => Path.Combine(_in, Cases[0], "expected.safetensors"),
        1 => Path.Combine(Folders.Repository, "tests", "data", "activations", "roberta-mlm.safetensors"),
        _ => Input(random),
    };

    /// <summary>A checkpoint that fits the command, mostly.</summary>
    public string Model(Random random, string command) => (random.Next(6), command) switch
    {
        (0, _) => Path.Combine(_in, "broken-model"),
        (1, _) => Input(random),
        (2, _) => "acme/none",
        (_, "verify" or "forward" or "convert" or "trace" or "inspect") => Path.Combine(_in, Cases[random.Next(Cases.Length)]),
        (_, "serve") => "demo-embed",
        _ => random.Next(2) == 0 ? "demo-codegen" : "demo-fill-mask",
    };

    /// <summary>A word of a line with --force: an input, which could be replaced, becomes an output.</summary>
    public string Writable(string word) => word.StartsWith(_in, StringComparison.Ordinal) ? Path.Combine(Folder, "out0") : word;

    /// <summary>What became of the inputs, and which files there are besides; empty where all is as it was.</summary>
    public string[] Changes()
    {
        Dictionary<string, (long Length, DateTime Written)> now = Snapshot();
        return [.. now.Keys.Union(_before.Keys).Where(name => !now.TryGetValue(name, out var is_) || !_before.TryGetValue(name, out var was) || is_ != was)];
    }

    private Dictionary<string, (long, DateTime)> Snapshot() =>
        new DirectoryInfo(Path.GetDirectoryName(_in)!).EnumerateFiles("*", SearchOption.AllDirectories)
            .Where(file => !file.FullName.StartsWith(Folder, StringComparison.Ordinal))
            .Concat(new DirectoryInfo(Folders.Repository).EnumerateFiles())
            .Concat(new DirectoryInfo(Folders.Reference).EnumerateFiles("*", SearchOption.AllDirectories))
            .ToDictionary(file => file.FullName, file => (file.Length, file.LastWriteTimeUtc));

    private void Write(string name, ReadOnlySpan<byte> content) => File.WriteAllBytes(Path.Combine(_in, name), content);
}
