using System.Net;

namespace ManagedTransformers.Orleans.Tests.Corpora;

/// <summary>Who has which shard of a job, as its grain decides it, without a cluster: every shard is written once whatever becomes of workers.</summary>
public sealed class CorpusRunTests
{
    private static readonly SiloAddress s_one = AddressOf(1), s_two = AddressOf(2), s_three = AddressOf(3);

    private static SentenceEmbeddingPipeline s_embed = null!;
    private string _folder = null!;

    private string Out => Path.Combine(_folder, "out");

    private CorpusJobRequest Request => new()
    {
        Input = Path.Combine(_folder, "in.jsonl"), Directory = Out, Model = "demo-embed", Task = "embed", Options = "{}", TextField = "text",
        ShardBytes = 10, Workers = 1,
    };

    [OneTimeSetUp]
    public static void Load() => s_embed = SentenceEmbeddingPipeline.Load(CorpusFleet.PathOf("demo-embed"));

    [OneTimeTearDown]
    public static void Unload() => s_embed.Dispose();

    [SetUp]
    public void WriteInput()
    {
        _folder = Directory.CreateTempSubdirectory("mtx-corpus-run").FullName;
        File.WriteAllLines(Request.Input, ["""{"text": "first"}""", """{"text": "second"}""", """{"text": "third"}"""]);
    }

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_shard_of_a_lost_silo_is_another_ones_and_whoever_comes_second_writes_nothing()
    {
        using CorpusRun run = Started(s_one, s_two);
        CorpusClaim lost = ClaimOf(run, s_one), other = ClaimOf(run, s_two);
        Assert.That((lost.Number, other.Number), Is.EqualTo((0, 1)));
        Assert.That(run.Claim(Hello(s_one), lost.Worker).Claim, Is.EqualTo(lost), "asked again: the answer was lost");
        using WrittenShard late = Write(lost);
        run.Step([s_two]);                                                // the first silo is gone, as the cluster thinks
        CorpusClaim again = ClaimOf(run, s_two);
        Assert.That((again.Number, again.Worker), Is.Not.EqualTo((lost.Number, lost.Worker)));
        Assert.That(again.Number, Is.Zero);
        Assert.That(run.Report(Hello(s_one), lost, new CorpusCounts(0, 0, 0)), Is.EqualTo(CorpusOrder.End));
        Assert.That(Complete(run, s_two, again), Is.EqualTo(CorpusOrder.Compute));
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(Out, "shard-00000.jsonl"));
        Assert.That(Complete(run, s_one, lost, late), Is.EqualTo(CorpusOrder.Compute), "it goes on with another one");
        Assert.That(File.Exists(late.ResultsPath), Is.True, "and its file has no name");
        Assert.That(File.GetLastWriteTimeUtc(Path.Combine(Out, "shard-00000.jsonl")), Is.EqualTo(written));
        Complete(run, s_two, other);
        Complete(run, s_two, ClaimOf(run, s_two));
        Assert.That((run.IsOver, run.Status.Totals), Is.EqualTo((true, new long[] { 3, 3, 0 })));
    }

    [Test]
    public void A_run_that_begins_anew_on_another_silo_takes_what_was_computed_for_the_one_before()
    {
        CorpusClaim claim, running;
        using (CorpusRun first = Started(s_one, s_two))
            (claim, running) = (ClaimOf(first, s_one), ClaimOf(first, s_two));
        using WrittenShard written = Write(claim);
        using var next = new CorpusRun(Request, "two", overwrite: false, isFirst: false);
        Assert.That(Complete(next, s_one, claim, written), Is.EqualTo(CorpusOrder.Wait), "the input is read again");
        Until(next, [s_one], () => next.Status.Fingerprint is not null);
        Assert.That(next.Report(Hello(s_two), running, new CorpusCounts(1, 0, 5)), Is.EqualTo(CorpusOrder.Compute));
        CorpusProgress progress = next.Status.Progress;
        Assert.That((progress.Texts, progress.Bytes, progress.TotalBytes, progress.IsReading), Is.EqualTo((1L, 5L, 55L, false)));
        Assert.That(Complete(next, s_one, claim, written), Is.EqualTo(CorpusOrder.Compute));
        Assert.That(ClaimOf(next, s_one).Number, Is.EqualTo(2), "1 is still its worker's");
        Assert.That(next.Report(Hello(s_two), running with { Fingerprint = "another job" }, new CorpusCounts(0, 0, 0)), Is.EqualTo(CorpusOrder.End));
    }

    [Test]
    public void Silos_that_see_another_input_or_directory_or_compute_otherwise_are_named()
    {
        using CorpusRun run = Started(s_one);
        CorpusSilo hello = Hello(s_two);
        Assert.That(run.Claim(hello with { Input = hello.Input with { Length = 7, Head = "00" } }, Guid.NewGuid()).Order, Is.EqualTo(CorpusOrder.End));
        Assert.That(run.Status.Refused.Single(), Does.Match(
            $"^two: It sees another {Request.Input}: 7 bytes of .* that begin with 00; on one that is 55 bytes of .* that begin with [0-9a-f]{{16}}\\."));
        CorpusSilo older = Hello(s_three) with { Settings = [.. Hello(s_three).Settings.Select(part => part.Name == "version" ? ("version", "0.9") : part)] };
        Assert.That(run.Claim(older, Guid.NewGuid()).Order, Is.EqualTo(CorpusOrder.End));
        Assert.That(run.Status.Refused[0], Does.Match(@"^three: It would give other bits than the job has: version \(\S+ there, 0\.9 here\)\."));
        CorpusClaim claim = ClaimOf(run, s_one);
        Assert.That(run.Complete(Hello(s_one), claim, new CorpusCounts(1, 0, 1), ".shard-00000.jsonl.none.unfinished", null), Is.EqualTo(CorpusOrder.End));
        Assert.That(run.Status.Refused[0], Does.StartWith("one: It wrote ").And.Contain("which one does not see"));
        run.Step([s_one, s_two, s_three]);
        Assert.That(() => run.Status, Throws.InstanceOf<CorpusException>().With.Message.StartsWith("No silo can do the job. "));
    }

    [Test]
    public void What_most_silos_would_compute_is_computed_and_a_directory_goes_on_as_it_began()
    {
        (string, string?)[] settings = Hello(s_one).Settings;
        CorpusSilo Level(SiloAddress silo, string level) =>
            Hello(silo) with { Settings = [.. settings.Select(part => part.Item1 == "kernels" ? ("kernels", level) : part)] };
        foreach (string expected in new[] { "B", "B" })                   // the second time there are more of the other one
        {
            using var run = new CorpusRun(Request, "one", overwrite: false, isFirst: true);
            bool isFirst = !Directory.Exists(Out);
            run.Claim(Level(s_one, "A"), Guid.NewGuid());
            run.Claim(Level(s_two, "B"), Guid.NewGuid());
            run.Claim(Level(s_three, isFirst ? "B" : "A"), Guid.NewGuid());
            Until(run, [s_one, s_two, s_three], () => run.Status.Fingerprint is not null);
            Assert.That(File.ReadAllText(Path.Combine(Out, "manifest.json")), Does.Contain($"\"kernels\": \"{expected}\""));
            Assert.That(run.Status.Refused, Has.Length.EqualTo(isFirst ? 1 : 2));
        }
    }

    private static SiloAddress AddressOf(int number) => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, number), 1);

    private CorpusSilo Hello(SiloAddress silo) => new()
    {
        Silo = silo, Name = silo.Endpoint.Port switch { 1 => "one", 2 => "two", _ => "three" }, Request = Request, ModelId = "demo-embed",
        Settings = [.. CorpusTask.Embed(s_embed).Settings()], Input = CorpusInputView.Of(CorpusFile.At(Request.Input)),
    };

    private CorpusRun Started(params SiloAddress[] silos)
    {
        var run = new CorpusRun(Request, "one", overwrite: false, isFirst: true);
        foreach (SiloAddress silo in silos)
            Assert.That(run.Claim(Hello(silo), Guid.NewGuid()).Order, Is.EqualTo(CorpusOrder.Wait));
        Until(run, silos, () => run.Status.Fingerprint is not null);
        return run;
    }

    private static void Until(CorpusRun run, SiloAddress[] silos, Func<bool> what)
    {
        for (int i = 0; i < 30_000 && !what(); i++)
        {
            run.Step(silos);
            Thread.Sleep(1);
        }
        Assert.That(what(), Is.True);
    }

    private CorpusClaim ClaimOf(CorpusRun run, SiloAddress silo) => run.Claim(Hello(silo), Guid.NewGuid()).Claim!;

    private WrittenShard Write(CorpusClaim claim) =>
        new ShardWriter(CorpusFile.At(Request.Input), CorpusTask.Embed(s_embed), Request.CorpusOptions, Out).Write(claim.Shard, _ => { }, default);

    private CorpusOrder Complete(CorpusRun run, SiloAddress silo, CorpusClaim claim)
    {
        using WrittenShard written = Write(claim);
        return Complete(run, silo, claim, written);
    }

    private CorpusOrder Complete(CorpusRun run, SiloAddress silo, CorpusClaim claim, WrittenShard written) => run.Complete(
        Hello(silo), claim, CorpusCounts.Of(written.Counts), Path.GetFileName(written.ResultsPath), Path.GetFileName(written.PoisonPath));
}
