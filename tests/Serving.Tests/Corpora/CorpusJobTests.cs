using System.Globalization;
using System.Text.Json;

namespace ManagedTransformers.Serving.Tests;

/// <summary>Jobs over a corpus: the same bytes for any number of workers and after any end, and nobody else's directory is touched.</summary>
public sealed class CorpusJobTests
{
    private const int Texts = 150;

    private static SentenceEmbeddingPipeline s_embed = null!;
    private string _directory = null!;
    private string _input = null!;

    [OneTimeSetUp]
    public static void Load() => s_embed = SentenceEmbeddingPipeline.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-embed"));

    [OneTimeTearDown]
    public static void Unload() => s_embed.Dispose();

    [SetUp]
    public void WriteInput()
    {
        _directory = Directory.CreateTempSubdirectory("mtx-corpus").FullName;
        _input = Path.Combine(_directory, "in.jsonl");
        File.WriteAllLines(_input, Enumerable.Range(0, Texts).Select(i => JsonSerializer.Serialize(new { name = $"t{i}", text = Text(i) })));
    }

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void One_two_and_five_workers_write_the_same_bytes_with_every_id_once()
    {
        string[] contents = [.. new[] { 1, 2, 5 }.Select(workers =>
        {
            CorpusTotals totals = Run($"out{workers}", CorpusTask.Embed(s_embed), Small with { IdField = "name" }, workers);
            Assert.That((totals.Shards, totals.Computed, totals.Texts, totals.SetAside), Is.EqualTo((11, 11, (long)Texts, 0L)));
            return Contents($"out{workers}");
        })];
        Assert.That(contents[1], Is.EqualTo(contents[0]));
        Assert.That(contents[2], Is.EqualTo(contents[0]));
        JsonElement[] results = [.. Results("out5")];
        Assert.That(results.Select(one => one.GetProperty("id").GetString()), Is.EqualTo(Enumerable.Range(0, Texts).Select(i => $"t{i}")));
        IReadOnlyList<float[]> vectors = s_embed.Embed([.. Enumerable.Range(0, Texts).Select(Text)]);
        foreach ((int i, JsonElement one) in results.Index())
            Assert.That(one.GetProperty("vector").EnumerateArray().Select(value => value.GetSingle()), Is.EqualTo(vectors[i]).Within(1e-5f));
    }

    [Test]
    public void A_cancelled_job_leaves_whole_shards_and_goes_on_to_the_same_bytes()
    {
        Run("whole", CorpusTask.Embed(s_embed), Small);
        for (int after = 1; after <= 7; after += 3)
        {
            using var end = new CancellationTokenSource();
            int reports = 0;
            var progress = new Reporter(_ =>
            {
                if (++reports == after) end.Cancel();
            });
            Assert.That(() => Run("part", CorpusTask.Embed(s_embed), Small, workers: 2, progress, end.Token), Throws.InstanceOf<OperationCanceledException>());
            Assert.That(Directory.GetFiles(Out("part")).Select(Path.GetExtension), Has.None.EqualTo(".unfinished"));
        }
        int there = Directory.GetFiles(Out("part"), "shard-*").Length;
        Assert.That(there, Is.InRange(1, 10));
        Assert.That(Run("part", CorpusTask.Embed(s_embed), Small).Computed, Is.EqualTo(11 - there));
        Assert.That(Contents("part"), Is.EqualTo(Contents("whole")));
        Assert.That(Run("part", CorpusTask.Embed(s_embed), Small).Computed, Is.Zero);
    }

    [Test]
    public void Files_count_and_not_what_the_manifest_says_of_them()
    {
        CorpusTask model = new Lengths(s_embed);
        Run("out", model, Small);
        string before = Contents("out"), manifest = Path.Combine(Out("out"), "manifest.json");
        string[] shards = [.. Directory.GetFiles(Out("out"), "shard-*").Order(StringComparer.Ordinal)];

        File.Delete(shards[3]);                                           // computed again
        File.WriteAllText(shards[5], "{}\n");
        Assert.That(Run("out", model, Small).Computed, Is.EqualTo(2));
        Assert.That(Contents("out"), Is.EqualTo(before));

        // A kill between a shard and the manifest: counted, and not computed.
        string text = File.ReadAllText(manifest);
        int state = text.IndexOf("\"done\"", StringComparison.Ordinal);
        File.WriteAllText(manifest, string.Concat(text.AsSpan(0, state), "\"pending\"", text.AsSpan(state + 6)));
        Assert.That(Run("out", model, Small).Computed, Is.Zero);
        Assert.That(Contents("out"), Is.EqualTo(before));
    }

    [Test]
    public void Lines_that_cannot_be_processed_are_set_aside_with_their_reasons()
    {
        File.WriteAllText(_input, "\uFEFF" + """
            {"text": "a", "key": 1.50}
            {"text": "b", "key": "x\u00e9"}

            no JSON
            [1]
            {"text": 5, "key": 2}
            {"key": 3}
            {"text": "\ud800", "key": 4}
            {"text": "c", "key": null}
            """ + $"\n{{\"text\": \"{string.Concat(Enumerable.Repeat("word ", 400))}\", \"key\": 5}}\r\n" + """{"text": "d", "key": 6}""");
        CorpusTotals totals = Run("out", CorpusTask.Embed(s_embed, new EmbeddingOptions { Truncation = false }), new CorpusOptions { IdField = "key" });
        Assert.That((totals.Texts, totals.SetAside), Is.EqualTo((3L, 7L)));
        Assert.That(Results("out").Select(one => one.GetProperty("id").GetRawText()), Is.EqualTo(new[] { "1.50", "\"x\\u00e9\"", "6" }));
        JsonElement[] poison = [.. File.ReadLines(Path.Combine(Out("out"), "poison-00000.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(poison.Select(line => (line.GetProperty("line").GetInt64(), line.GetProperty("id").GetRawText())),
            Is.EqualTo(new[] { (4L, "null"), (5L, "null"), (6L, "2"), (7L, "3"), (8L, "null"), (9L, "null"), (10L, "5") }));
        string[] reasons = ["no JSON", "is a JSON Array", "no \"text\"", "no \"text\"", "half a surrogate pair", "no \"key\"", "reads at most 256"];
        foreach ((JsonElement line, string reason) in poison.Zip(reasons))
            Assert.That(line.GetProperty("reason").GetString(), Does.Contain(reason));
    }

    [Test]
    public void Another_jobs_directory_is_refused_with_both_fingerprints()
    {
        CorpusTask model = new Lengths(s_embed);
        string mine = Fingerprint("out", model, Small);
        Run("out", model, Small);
        string before = Contents("out");

        string other = Refused(() => Run("out", CorpusTask.Embed(s_embed), Small));
        Assert.That(other, Does.Contain(mine).And.Contain(Fingerprint("out2", CorpusTask.Embed(s_embed), Small)));
        Assert.That(other, Does.Contain("task (lengths there, embed here)").And.Contain("Choose another directory"));
        Assert.That(Refused(() => Run("out", model, Small with { TextField = "body" })), Does.Contain("text_field (text there, body here)"));
        string manifest = File.ReadAllText(Path.Combine(Out("out"), "manifest.json"));
        Assert.That(manifest, Does.Contain($"\"version\": \"{LibraryVersion.Text}\"").And.Contain("\"kernels\": "));
        Assert.That(LibraryVersion.Text, Does.Match(@"^\d+\.\d+\.\d+"));
        File.WriteAllText(Path.Combine(Out("out"), "manifest.json"), manifest.Replace(LibraryVersion.Text, "0.9.0", StringComparison.Ordinal));
        Assert.That(Refused(() => Run("out", model, Small)), Does.Contain($"version (0.9.0 there, {LibraryVersion.Text} here)"));
        File.WriteAllText(Path.Combine(Out("out"), "manifest.json"), manifest);
        Assert.That(Refused(() => Run("out", model, Small with { ShardBytes = 999 })), Does.Contain("shard_bytes (500 there, 999 here)"));
        File.AppendAllText(_input, "{\"text\": \"more\"}\n");
        Assert.That(Refused(() => Run("out", model, Small)), Does.Contain("input_bytes").And.Contain("input_sha256"));
        Assert.That(Contents("out"), Is.EqualTo(before));

        File.WriteAllText(Path.Combine(Out("out"), "notes"), "kept");
        Assert.That(Run("out", model, Small with { Overwrite = true }).Texts, Is.EqualTo(Texts + 1));
        Assert.That(File.ReadAllText(Path.Combine(Out("out"), "notes")), Is.EqualTo("kept"));
    }

    [Test]
    public void A_directory_that_is_in_use_or_damaged_or_holds_the_input_is_refused()
    {
        CorpusTask model = new Lengths(s_embed);
        using (CorpusJob.Open(_input, Out("out"), model, Small))
            Assert.That(Refused(() => Run("out", model, Small)), Does.Contain("Another process works in"));
        Run("out", model, Small);
        File.Delete(Path.Combine(Out("out"), "manifest.json"));
        Assert.That(Refused(() => Run("out", model, Small)), Does.Contain("has shard-").And.Contain("no manifest.json"));
        foreach (string content in new[] { "{", "[]", "{}", """{"job": 5, "shards": []}""", """{"job": {}, "shards": [{"state": "done"}]}""" })
        {
            File.WriteAllText(Path.Combine(Out("out"), "manifest.json"), content);
            Assert.That(Refused(() => Run("out", model, Small)), Does.Contain("manifest.json"), content);
        }
        string inside = Path.Combine(Out("out"), "shard-00000.jsonl");
        Assert.That(Refused(() => CorpusJob.Open(inside, Out("out"), model)), Does.Contain("lies in the output directory"));
    }

    [Test]
    public void An_input_that_changes_while_the_job_runs_ends_it()
    {
        CorpusTask model = new Lengths(s_embed) { BeforeRun = () => File.AppendAllText(_input, "\n") };
        Assert.That(Refused(() => Run("out", model, Small)), Does.Contain("it changed while the job ran"));
        Assert.That(Directory.GetFiles(Out("out"), "shard-*"), Is.Empty);
    }

    [Test]
    public void What_a_worker_throws_ends_all_of_them_and_comes_out()
    {
        int runs = 0;
        CorpusTask model = new Lengths(s_embed)
        {
            BeforeRun = () =>
            {
                if (Interlocked.Increment(ref runs) == 4) throw new CheckpointException("NaN");
            },
        };
        Assert.That(() => Run("out", model, Small, workers: 3), Throws.InstanceOf<CheckpointException>().With.Message.EqualTo("NaN"));
        Assert.That(Run("out", model, Small).Texts, Is.EqualTo(Texts));
    }

    [Test]
    public void Progress_counts_every_text_and_byte_once()
    {
        CorpusTask model = new Lengths(s_embed);
        var told = new List<CorpusProgress>();
        Run("out", model, Small, workers: 5, new Reporter(told.Add));
        Assert.That(told, Has.Count.EqualTo(11));
        Assert.That(told[^1], Is.EqualTo(told[^1] with { Texts = Texts, SetAside = 0, Bytes = new FileInfo(_input).Length, Remaining = TimeSpan.Zero }));
        Assert.That(told.Zip(told.Skip(1)).All(pair => pair.First.Bytes < pair.Second.Bytes), Is.True);
    }

    [Test]
    public void Reading_33_MB_is_told_twice_before_the_first_text()
    {
        File.WriteAllText(_input, new string('\n', 33 << 20));
        var told = new List<CorpusProgress>();
        using CorpusJob job = CorpusJob.Open(_input, Out("out"), new Lengths(s_embed), progress: new Reporter(told.Add));
        CorpusProgress Read(long bytes) => new(0, 0, bytes, 33 << 20, 0, null) { IsReading = true };
        Assert.That(told, Is.EqualTo(new[] { Read(16 << 20), Read(32 << 20) }));
    }

    /// <summary>A gigabyte: what lives is a chunk for each worker, whatever the input's length.</summary>
    [Test]
    [Category("Corpora")]
    [Explicit("Writes a gigabyte: half a minute")]
    public void A_gigabyte_takes_constant_memory()
    {
        CorpusTask model = new Lengths(s_embed);
        using (var writer = new StreamWriter(_input))
        {
            for (int i = 0; i < 1_000_000; i++) writer.WriteLine($"{{\"text\": \"{new string('x', 900)} {i}\"}}");
        }
        long live = GC.GetTotalMemory(forceFullCollection: true), peak = 0;
        int reports = 0;
        var progress = new Reporter(_ =>
        {
            if (++reports % 100 == 0) peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true));
        });
        CorpusTotals totals = Run("out", model, new CorpusOptions(), workers: 4, progress);
        Assert.That(totals.Texts, Is.EqualTo(1_000_000));
        Assert.That(peak - live, Is.InRange(1, 64 << 20));
        TestContext.Out.WriteLine($"{peak - live} bytes above {live}");
    }

    private static CorpusOptions Small => new() { ShardBytes = 500 };

    private static string Text(int i) => string.Create(CultureInfo.InvariantCulture, $"x{i} = {string.Concat(Enumerable.Repeat("a ", i % 5))}{i}");

    private static string Refused(Action run) => Assert.Throws<CorpusException>(() => run())!.Message;

    private string Out(string name) => Path.Combine(_directory, name);

    private string Fingerprint(string name, CorpusTask task, CorpusOptions options)
    {
        using CorpusJob job = CorpusJob.Open(_input, Out(name), task, options);
        return job.Fingerprint;
    }

    private CorpusTotals Run(
        string name, CorpusTask task, CorpusOptions options, int workers = 1, IProgress<CorpusProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using CorpusJob job = CorpusJob.Open(_input, Out(name), task, options, progress, cancellationToken);
        return job.Run(workers, progress, cancellationToken);
    }

    private string Contents(string name) => string.Join('\n', Directory.GetFiles(Out(name), "*.json*").Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetFileName(file)}\n{File.ReadAllText(file)}"));

    private IEnumerable<JsonElement> Results(string name) => Directory.GetFiles(Out(name), "shard-*").Order(StringComparer.Ordinal)
        .SelectMany(File.ReadLines).Select(line => JsonDocument.Parse(line).RootElement);

    private sealed class Reporter(Action<CorpusProgress> report) : IProgress<CorpusProgress>
    {
        public void Report(CorpusProgress value) => report(value);
    }

    /// <summary>How long each text is, without a model.</summary>
    private sealed class Lengths(Pipeline pipeline) : CorpusTask("lengths", pipeline)
    {
        public Action? BeforeRun { get; init; }

        internal override void Require(string text, CancellationToken cancellationToken)
        {
        }

        internal override Action<Utf8JsonWriter, int> Run(IReadOnlyList<string> texts, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            BeforeRun?.Invoke();
            return (json, i) => json.WriteNumber("length", texts[i].Length);
        }
    }
}
