using ManagedTransformers.Models;

namespace ManagedTransformers.Fuzz;

/// <summary>The fuzzer itself finds what it is for.</summary>
public sealed class EngineTests
{
    private static FuzzReport Run(Action<byte[]> read, long inputs = 20_000) =>
        new FuzzLoop(new FuzzTarget("test", new ByteMutator(), () => [Seeds.Utf8("{\"weight_map\":{}}")], read), seed: 1).Run(inputs, TimeSpan.FromMinutes(2));

    [Test]
    public void An_exception_that_no_document_names_is_found_once_and_made_small()
    {
        void Read(byte[] input)
        {
            if (input.Contains((byte)'#'))
                throw new InvalidOperationException("#");
        }
        Finding finding = Run(Read).Findings.Single();
        Assert.That(finding.Fault.Key, Does.StartWith("InvalidOperationException EngineTests."));
        Assert.That(Minimizer.Shrink(new FuzzTarget("test", new ByteMutator(), () => [], Read), finding), Is.EqualTo(Seeds.Utf8("#")));
    }

    [Test]
    public void A_refusal_is_none() =>
        Assert.That(Run(_ => throw new CheckpointException("x"), 100), Has.Property("Accepted").Zero.And.Property("Findings").Empty);

    [Test]
    public void More_than_64_MB_for_a_small_input_is_found_where_it_is_alive_at_once()
    {
        byte[][] kept = [];
        Finding finding = Run(_ =>
        {
            kept = [.. Enumerable.Range(0, 80).Select(_ => new byte[1 << 20])];
            Thread.Sleep(50);
            kept = [];
        }, 1).Findings.Single();
        Assert.That(finding.Fault.Key, Is.EqualTo("memory"));
        Assert.That(kept, Is.Empty);
        Assert.That(Run(_ => { for (int i = 0; i < 80; i++) GC.KeepAlive(new byte[1 << 20]); }, 1).Findings, Is.Empty);
    }

    [Test]
    public void More_processor_time_than_the_length_allows_is_found()
    {
        TimeSpan time = TimeSpan.FromSeconds(0.2);
        void Spin(double share)
        {
            TimeSpan start = Environment.CpuUsage.TotalTime;
            while (Environment.CpuUsage.TotalTime - start < share * time)
                Thread.SpinWait(1000);
        }
        Fault? FaultOf(int length, double share) =>
            new Trial(new FuzzTarget("test", new ByteMutator(), () => [], _ => Spin(share)) { TimePerMB = time }).Run(new byte[length]);
        Assert.That(FaultOf(10, 1.5)?.Key, Is.EqualTo("time"));
        Assert.That(FaultOf(3 << 20, 1.5), Is.Null);
        Assert.That(FaultOf(10, 0.2), Is.Null);
    }

    [Test]
    public void What_opens_a_branch_of_a_parser_is_kept_and_what_repeats_one_is_not()
    {
        var coverage = new Coverage();
        bool Reaches(string json)
        {
            Trail.Clear();
            try
            {
                ShardIndex.Parse(Seeds.Utf8(json), "x");
            }
            catch (CheckpointException)
            {
                // A refusal has its branches, too.
            }
            return coverage.Add();
        }
        Reaches("""{"weight_map":{}}""");
        Assert.That(Reaches("""{"weight_map":{}}"""), Is.False);
        Assert.That(Reaches("""{"weight_map":{"a":"b"}}"""), Is.True);
        Assert.That(Reaches("""{"weight_map":{"c":"d"}}"""), Is.False);
    }

    [Test]
    public void The_same_seed_tries_the_same_inputs()
    {
        long Sum(int seed)
        {
            long sum = 0;
            var target = new FuzzTarget("test", new JsonMutator(), () => [Seeds.Utf8("""{"a":[1,"b"]}""")], input => sum = (31 * sum) + input.Sum(b => b));
            new FuzzLoop(target, seed).Run(500, TimeSpan.FromMinutes(2));
            return sum;
        }
        long first = Sum(1);
        Assert.That(Sum(1), Is.EqualTo(first));
        Assert.That(Sum(2), Is.Not.EqualTo(first));
    }
}
