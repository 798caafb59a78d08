using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Orleans;
using Orleans.TestingHost;

namespace ManagedTransformers.Orleans.Tests.Corpora;

/// <summary>A job while silos are killed, those that compute and the one that leads it: every id once, and the bytes of one machine.</summary>
[Category("Corpora")]
[Explicit("Kills silos and waits until the others notice: minutes")]
public sealed partial class LostSiloCorpusTests
{
    [TestCase(20_000, 3)]
    [TestCase(200_000, 10)]
    public async Task Texts_have_their_vectors_once_whichever_silos_are_killed(int texts, int kills)
    {
        await using CorpusFleet fleet = await CorpusFleet.StartAsync(_ => CorpusFleet.Host(["demo-embed"]));
        fleet.Write(texts);
        var options = new CorpusOptions { ShardBytes = texts, IdField = "name" };          // some 45 shards
        using (var embedder = SentenceEmbeddingPipeline.Load(CorpusFleet.PathOf("demo-embed")))
            fleet.RunAlone(CorpusTask.Embed(embedder), "whole", options);
        var progress = new Latest();
        var clock = Stopwatch.StartNew();
        Task<CorpusTotals> job = fleet.Job("demo-embed", "killed", options).EmbedAsync(progress: progress);
        var random = new Random(24);
        int killed = 0;
        for (; killed < kills; killed++)
        {
            double share = (killed + random.NextDouble()) / (kills + 1);
            while (!job.IsCompleted && progress.Share < share)
                await Task.Delay(20);
            if (job.IsCompleted)
                break;
            InProcessSiloHandle silo = killed % 2 == 0 ? await LeaderAsync(fleet) : fleet.Cluster.Silos[random.Next(fleet.Cluster.Silos.Count)];
            TestContext.Progress.WriteLine($"{clock.Elapsed:mm\\:ss} {silo.Name} killed at {progress.Value}");
            await fleet.Cluster.KillSiloAsync(silo);
            await fleet.Cluster.StartAdditionalSiloAsync();
        }
        CorpusTotals totals = await job;
        TestContext.Out.WriteLine($"{texts} texts, {killed} kills, {clock.Elapsed.TotalSeconds:F0} s, {totals}");
        Assert.That((totals.Texts, totals.SetAside, killed), Is.EqualTo((texts - (texts / 100L), texts / 100L, kills)));
        Assert.That(CorpusFleet.Contents(fleet.Directory("killed")), Is.EqualTo(CorpusFleet.Contents(fleet.Directory("whole"))));
        int[] ids = [.. Directory.GetFiles(fleet.Directory("killed"), "shard-*").Order(StringComparer.Ordinal).SelectMany(File.ReadLines)
            .Select(line => int.Parse(IdPattern().Match(line).Groups["id"].ValueSpan, CultureInfo.InvariantCulture))];
        Assert.That(ids, Is.EqualTo(Enumerable.Range(0, texts).Where(i => i % 100 != 50)));
    }

    [GeneratedRegex("""^{"id":"t(?<id>\d+)",""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex IdPattern();

    private static async Task<InProcessSiloHandle> LeaderAsync(CorpusFleet fleet)
    {
        ICorpusJobGrain job = fleet.Cluster.Client.GetGrain<ICorpusJobGrain>(fleet.Directory("killed"));
        SiloAddress? address = await fleet.Cluster.Client.GetGrain<IManagementGrain>(0).GetActivationAddress(job);
        return fleet.Cluster.Silos.FirstOrDefault(silo => silo.SiloAddress.Equals(address)) ?? fleet.Cluster.Silos[0];
    }

    private sealed class Latest : IProgress<CorpusProgress>
    {
        private CorpusProgress _value;

        public CorpusProgress Value
        {
            get
            {
                lock (this)
                    return _value;
            }
        }

        public double Share => Value is { IsReading: false } now ? (double)now.Bytes / now.TotalBytes : 0;

        public void Report(CorpusProgress value)
        {
            lock (this)
                _value = value;
        }
    }
}
