namespace ManagedTransformers.Orleans.Tests.Corpora;

/// <summary>Jobs over a corpus on three silos, of which the third computes with other kernels: the files of one machine, to the bit.</summary>
public sealed class ClusterCorpusJobTests
{
    private static CorpusFleet s_fleet = null!;

    private static CorpusOptions Small => new() { ShardBytes = 500, IdField = "name" };

    [OneTimeSetUp]
    public static async Task Start() => s_fleet = await CorpusFleet.StartAsync(
        silo => CorpusFleet.Host(CorpusFleet.Models, silo == 2 ? KernelLevel.Portable : null));

    [OneTimeTearDown]
    public static async Task Stop() => await s_fleet.DisposeAsync();

    [Test]
    public async Task Each_task_writes_what_one_machine_writes_and_names_the_silo_with_other_last_bits()
    {
        s_fleet.Write(60);
        using var embedder = SentenceEmbeddingPipeline.Load(CorpusFleet.PathOf("demo-embed"));
        using var classifier = TextClassificationPipeline.Load(CorpusFleet.PathOf("demo-language-id"));
        using var tagger = TokenClassificationPipeline.Load(CorpusFleet.PathOf("demo-tag"));
        using var scorer = TextScorer.Load(CorpusFleet.PathOf("demo-codegen"));
        var vectors = new EmbeddingOptions { Normalize = true, TruncateDim = 16, Pooling = [Pooling.Max] };
        var labels = new TextClassificationOptions { TopK = 1, Function = ClassificationFunction.Sigmoid };
        var entities = new TokenClassificationOptions { Aggregation = AggregationStrategy.Average, IgnoreLabels = [], Stride = 4, WindowLength = 16 };
        var windows = new ScoringOptions { Window = 32, Stride = 8 };
        ClusterCorpusJob embed = s_fleet.Job("demo-embed", "embed", Small);
        ClusterCorpusJob score = s_fleet.Job("demo-codegen", "score", Small, workers: 2);
        CorpusTotals[] totals = await Task.WhenAll(
            embed.EmbedAsync(vectors), s_fleet.Job("demo-language-id", "classify", Small).ClassifyAsync(labels),
            s_fleet.Job("demo-tag", "tag", Small).TagAsync(entities), score.ScoreAsync(windows, context: "# "));
        CorpusTask[] alone =
        [
            CorpusTask.Embed(embedder, vectors), CorpusTask.Classify(classifier, labels), CorpusTask.Tag(tagger, entities),
            CorpusTask.Score(scorer, windows, "# "),
        ];
        foreach ((CorpusTask task, CorpusTotals there) in alone.Zip(totals))
        {
            Assert.That(there, Is.EqualTo(s_fleet.RunAlone(task, $"{task.Name}-alone", Small)), task.Name);
            Assert.That(there.SetAside, Is.EqualTo(1), task.Name);
            Assert.That(CorpusFleet.Contents(s_fleet.Directory(task.Name)), Is.EqualTo(CorpusFleet.Contents(s_fleet.Directory($"{task.Name}-alone"))));
        }
        Assert.That(embed.Refused.Single(), Does.Match(@"^\S+: It would give other bits than the job has: kernels \(\w+ there, Portable here\)\."));
        Assert.That(File.ReadAllText(Path.Combine(s_fleet.Directory("embed"), "manifest.json")), Does.Contain(embed.Fingerprint!));
    }

    [Test]
    public async Task A_cancelled_job_goes_on_here_and_there_and_another_one_is_refused()
    {
        s_fleet.Write(1600);                                    // not done before the caller asks for the second time
        using var embedder = SentenceEmbeddingPipeline.Load(CorpusFleet.PathOf("demo-embed"));
        using var end = new CancellationTokenSource();
        var told = new List<CorpusProgress>();
        var progress = new Reporter(one =>
        {
            told.Add(one);
            if (one.Texts > 0)
                end.Cancel();
        });
        ClusterCorpusJob job = s_fleet.Job("demo-embed", "part", Small with { ShardBytes = 2000 });
        Assert.That(() => job.EmbedAsync(progress: progress, cancellationToken: end.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That((told[0].IsReading, told[^1].IsReading, told[^1].TotalBytes), Is.EqualTo((true, false, new FileInfo(s_fleet.Input).Length)));

        CorpusException? other = await Assert.ThrowsAsync<CorpusException>(() => job.EmbedAsync(new EmbeddingOptions { TruncateDim = 2 }));
        Assert.That(other!.Message, Does.Contain(job.Fingerprint!).And.Contain("truncate_dim (none there, 2 here)"));
        CorpusTotals totals = await s_fleet.Job("demo-embed", "part", Small with { ShardBytes = 2000 }).EmbedAsync();
        Assert.That((totals.Texts, totals.SetAside, totals.Computed), Is.EqualTo((1584L, 16L, totals.Computed)));
        Assert.That(totals.Computed, Is.InRange(1, totals.Shards - 1));
        s_fleet.RunAlone(CorpusTask.Embed(embedder), "whole", Small with { ShardBytes = 2000 });
        Assert.That(CorpusFleet.Contents(s_fleet.Directory("part")), Is.EqualTo(CorpusFleet.Contents(s_fleet.Directory("whole"))));
        Assert.That(s_fleet.RunAlone(CorpusTask.Embed(embedder), "part", Small with { ShardBytes = 2000 }).Computed, Is.Zero);
        CorpusTotals replaced = await s_fleet.Job("demo-embed", "part", Small with { Overwrite = true }).EmbedAsync(new EmbeddingOptions { TruncateDim = 2 });
        Assert.That((replaced.Texts, replaced.Computed), Is.EqualTo((1584L, replaced.Shards)));
    }

    [Test]
    public async Task What_no_silo_can_do_is_refused_with_the_reason_of_each()
    {
        s_fleet.Write(10);
        Assert.That(await Refused("demo-embed", job => job.ClassifyAsync()), Does.StartWith("No silo can do the job.").And
            .Contain("The model demo-embed cannot classify"));
        Assert.That(await Refused("none", job => job.EmbedAsync()), Does.Contain("There is no model \"none\""));
        Assert.That(await Refused("demo-embed", job => job.EmbedAsync(new EmbeddingOptions { PromptName = "none" })), Does.Contain("none"));
        using (new FileStream(Path.Combine(System.IO.Directory.CreateDirectory(s_fleet.Directory("used")).FullName, ".lock"), FileMode.Create,
            FileAccess.ReadWrite, FileShare.None))
            Assert.That(await Refused("demo-embed", job => job.EmbedAsync(), "used"), Does.Contain("Another process works in"));
        File.Delete(s_fleet.Input);
        Assert.That(await Refused("demo-embed", job => job.EmbedAsync()), Does.Contain($"There is no file {s_fleet.Input}"));

        static async Task<string> Refused(string model, Func<ClusterCorpusJob, Task<CorpusTotals>> run, string directory = "refused") =>
            (await Assert.ThrowsAsync<CorpusException>(() => run(s_fleet.Job(model, directory, Small))))!.Message;
    }

    private sealed class Reporter(Action<CorpusProgress> report) : IProgress<CorpusProgress>
    {
        public void Report(CorpusProgress value) => report(value);
    }
}
