using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

/// <summary>--corpus of embed, classify, tag and score. What jobs promise is tested in tests/Serving.Tests/Corpora.</summary>
[TestFixture]
internal sealed class CorpusCommandTests
{
    private string _folder = null!, _input = null!;

    private string Out => Path.Combine(_folder, "out");

    [SetUp]
    public void WriteInput()
    {
        _folder = Folders.Scratch();
        _input = Path.Combine(_folder, "in.jsonl");
        File.WriteAllText(_input, """
            {"id": "a", "text": "def f(x): return x"}
            no JSON
            {"id": "b", "text": "mail ada@example.org"}
            """);
    }

    [TestCase("embed", "vector")]
    [TestCase("classify", "labels")]
    [TestCase("tag", "entities")]
    [TestCase("score", "log_probability,tokens,perplexity,bytes,bits_per_byte,characters,bits_per_character")]
    public void A_line_has_what_the_command_gives_for_its_text_alone(string command, string names)
    {
        MtxRun run = MtxRun.Of(command, "--corpus", _input, "--out", Out, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, $"mtx: warning: 1 lines of {_input} were set aside; poison-*.jsonl in {Out} have their "
            + "numbers and reasons.\n")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "corpus", "out", "fingerprint", "texts", "set_aside", "shards", "computed" }));
        Assert.That((run.Json.GetProperty("texts").GetInt32(), run.Json.GetProperty("set_aside").GetInt32()), Is.EqualTo((2, 1)));
        JsonElement[] lines = [.. File.ReadLines(Path.Combine(Out, "shard-00000.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(lines.Select(line => line.GetProperty("id").GetInt32()), Is.EqualTo(new[] { 1, 3 }));
        JsonElement alone = MtxRun.Of(command, "mail ada@example.org", "--json").Json;
        alone = command switch { "embed" => alone.GetProperty("embeddings")[0], "score" => alone.GetProperty("scores")[0], _ => alone };
        foreach (string name in names.Split(','))
            AssertNear(lines[1].GetProperty(name), alone.GetProperty(name));
        Assert.That(MtxRun.Names(lines[1]), Is.EqualTo((string[])["id", .. names.Split(',')]));
    }

    [Test]
    public void Strict_makes_an_error_of_what_was_set_aside_and_changes_no_result()
    {
        MtxRun first = MtxRun.Of("classify", "--corpus", _input, "--out", Out, "--top-k", "1", "--id-field", "id");
        Assert.That((first.ExitCode, first.Out), Is.EqualTo((0, $"{Out} has the results of 2 texts in 1 shards, 1 of them new.\n")));
        MtxRun strict = MtxRun.Of("classify", "--corpus", _input, "--out", Out, "--top-k", "1", "--id-field", "id", "--strict", "--workers", "3");
        Assert.That((strict.ExitCode, strict.Out), Is.EqualTo((3, $"{Out} has the results of 2 texts in 1 shards, 0 of them new.\n")));
        Assert.That(File.ReadLines(Path.Combine(Out, "shard-00000.jsonl")).First(), Does.StartWith("{\"id\":\"a\",\"labels\":[{\"label\":\"python\","));
        MtxRun other = MtxRun.Of("classify", "--corpus", _input, "--out", Out, "--json");
        Assert.That((other.ExitCode, other.Json.GetProperty("error").GetProperty("type").GetString()), Is.EqualTo((3, "CorpusException")));
        Assert.That(MtxRun.Of("classify", "--corpus", _input, "--out", Out, "--force").ExitCode, Is.Zero);
    }

    [TestCase("--corpus - is standard input, which cannot be read again", "embed", "--corpus", "-", "--out", "x")]
    [TestCase("--corpus needs --out DIR.", "embed", "--corpus", "in.jsonl")]
    [TestCase("TEXT and --corpus exclude each other.", "tag", "x", "--corpus", "in.jsonl", "--out", "x")]
    [TestCase("--pair and --corpus exclude each other.", "classify", "--corpus", "in.jsonl", "--out", "x", "--pair", "y")]
    [TestCase("--top-k and --corpus exclude each other.", "score", "--corpus", "in.jsonl", "--out", "x", "--top-k", "2")]
    [TestCase("--workers is for --corpus FILE.", "embed", "x", "--workers", "2")]
    [TestCase("--workers is 257; at most 256 is possible.", "embed", "--corpus", "in.jsonl", "--out", "x", "--workers", "257")]
    [TestCase("--shard-size is \"5x\"; a size is needed", "embed", "--corpus", "in.jsonl", "--out", "x", "--shard-size", "5x")]
    [TestCase("Either TEXT or --corpus FILE is needed.", "classify")]
    [TestCase("Either TEXT, --file FILE or --corpus FILE is needed.", "score")]
    [TestCase("TEXT and --file exclude each other.", "score", "x", "--file", "in.jsonl")]
    public void What_does_not_go_together_is_refused(string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((2, run.Error)));
        Assert.That(run.Error, Does.StartWith($"mtx: {message}"));
    }

    [Test]
    public void Options_that_fit_no_text_are_refused_once_and_not_for_every_line()
    {
        Assert.That(MtxRun.Of("tag", "--corpus", _input, "--out", Out, "--stride", "4", "--window", "2").ExitCode, Is.EqualTo(3));
        MtxRun run = MtxRun.Of("score", "--corpus", _input, "--out", Out, "--window", "1000000");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((3, run.Error)));
        Assert.That(run.Error, Does.Contain("1000000"));
        Assert.That(Directory.Exists(Out) ? Directory.GetFiles(Out, "*-0*") : [], Is.Empty);
    }

    [Test]
    public void A_terminal_shows_texts_per_second_and_the_time_left()
    {
        MtxRun run = MtxRun.OnTerminal("embed", "--corpus", _input, "--out", Out);
        Assert.That(run.Error, Does.Match(@"3 texts, 1 set aside, \d+\.\d texts/s, 00:00:00 left"));
    }

    /// <summary>Processes that are killed at moments which nobody chose, and one that ends.</summary>
    [TestCase(400, 250, 3, 20)]
    [TestCase(400, 250, 10, 20, Explicit = true, Reason = "Starts ten processes", Category = "Corpora")]
    [TestCase(200_000, 200_000, 10, 8000, Explicit = true, Reason = "Two hundred thousand texts, twice: minutes", Category = "Corpora")]
    public void Kills_and_a_run_to_the_end_write_what_one_run_writes(int texts, int shardBytes, int kills, int mostMilliseconds)
    {
        File.WriteAllLines(_input, Enumerable.Range(0, texts).Select(i => i % 100 == 50 ? "{" : $"{{\"text\": \"x{i} = {(long)i * i}\"}}"));
        string[] command = ["embed", "--corpus", _input, "--shard-size", $"{shardBytes}", "--out"];          // some 40 shards
        string whole = Path.Combine(_folder, "whole");
        var clock = Stopwatch.StartNew();
        Assert.That(MtxRun.Of([.. command, whole]).ExitCode, Is.Zero);
        TestContext.Out.WriteLine($"{texts} texts without kills: {clock.Elapsed.TotalSeconds:F1} s");
        clock.Restart();
        var random = new Random(24);
        int killed = 0;
        while (killed < kills && KilledWhileItRuns([.. command, Out, "--workers", $"{1 + (killed % 3)}"], random, mostMilliseconds)) killed++;
        MtxRun last = MtxRun.Of([.. command, Out, "--workers", "2", "--json"]);
        Assert.That(last.ExitCode, Is.Zero, last.Error);
        TestContext.Out.WriteLine($"{killed} kills, {clock.Elapsed.TotalSeconds:F1} s; {last.Json.GetProperty("computed")} of " +
            $"{last.Json.GetProperty("shards")} shards were left for the last run");
        Assert.That(killed, Is.EqualTo(kills));
        Assert.That(Contents(Out), Is.EqualTo(Contents(whole)));
        Assert.That(Directory.GetFiles(Out).Where(path => path.EndsWith(Unfinished.Suffix, StringComparison.Ordinal)), Is.Empty);
        int[] ids = [.. Directory.GetFiles(Out, "shard-*").Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Select(IdOf)];
        Assert.That(ids, Is.EqualTo(Enumerable.Range(1, texts).Where(line => (line - 1) % 100 != 50)));
    }

    /// <summary>Kills it at some time after it has written a file.</summary>
    private bool KilledWhileItRuns(string[] args, Random random, int mostMilliseconds)
    {
        int before = Count();
        using Process process = Process.Start(new ProcessStartInfo(MtxProcess.Command[0], [.. MtxProcess.Command[1..], .. args])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        while (!process.HasExited && Count() == before) Thread.Sleep(1);
        Thread.Sleep(random.Next(mostMilliseconds));
        bool runs = !process.HasExited;
        process.Kill();
        process.WaitForExit();
        return runs && process.ExitCode != 0;

        int Count() => Directory.Exists(Out) ? Directory.GetFiles(Out, "shard-*").Length : 0;
    }

    private static int IdOf(string line)
    {
        var json = new Utf8JsonReader(Encoding.UTF8.GetBytes(line));
        while (json.TokenType != JsonTokenType.Number) json.Read();
        return json.GetInt32();
    }

    // Of large files their SHA-256.
    private static string Contents(string directory) => string.Join('\n', Directory.GetFiles(directory, "*.json*").Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetFileName(file)}\n{(new FileInfo(file).Length < 100_000 ? File.ReadAllText(file) : HashOf(file))}"));

    private static string HashOf(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexString(SHA256.HashData(stream));
    }

    private static void AssertNear(JsonElement found, JsonElement expected)
    {
        switch (expected.ValueKind)
        {
            case JsonValueKind.Number:
                Assert.That(found.GetDouble(), Is.EqualTo(expected.GetDouble()).Within(1e-4));
                break;
            case JsonValueKind.Array:
                Assert.That(found.GetArrayLength(), Is.EqualTo(expected.GetArrayLength()));
                foreach ((JsonElement one, JsonElement other) in found.EnumerateArray().Zip(expected.EnumerateArray())) AssertNear(one, other);
                break;
            case JsonValueKind.Object:
                Assert.That(MtxRun.Names(found), Is.EqualTo(MtxRun.Names(expected)));
                foreach (JsonProperty property in expected.EnumerateObject()) AssertNear(found.GetProperty(property.Name), property.Value);
                break;
            default:
                Assert.That(found.GetRawText(), Is.EqualTo(expected.GetRawText()));
                break;
        }
    }
}
