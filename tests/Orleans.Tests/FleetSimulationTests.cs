using ManagedTransformers.Bench;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>The simulation of <c>bench -- fleet</c>, against what can be counted by hand.</summary>
public sealed class FleetSimulationTests
{
    private static readonly Lazy<TextGenerator> s_model = new(IdleModel.Generator);

    // A token of a prompt takes 1 ms, a pass that generates 10 ms.
    private static readonly StepTimes s_times = new()
    {
        Model = "none", Machine = "none", Prompt = [new(1, 0, 1), new(256, 0, 256)], Decode = [new(1, 128, 10), new(32, 128, 10)],
    };

    [Test]
    public void A_silo_with_one_row_generates_16_tokens_in_64_ms_and_15_passes_of_10()
    {
        // The prompt gives the first token: 0.064 s + 15 · 0.010 s = 0.214 s, 50 of which are 10.7 s.
        TraceRequest[] trace = [.. Enumerable.Range(0, 100).Select(i => Cold(0, i, 64, 16)), Cold(10.7, 100, 64, 1)];
        FleetResult result = Run(new FleetSettings { Times = s_times, Engine = new() { MaxRows = 1 } }, trace);
        Assert.That(result.TokensPerSecond, Is.EqualTo(16 / 0.214).Within(0.2), "74.8");
        Assert.That(result.Busy, Is.EqualTo(1).Within(0.01));
        Assert.That((result.Refused, result.Imbalance), Is.EqualTo((0, 1.0)));
        Assert.That(result.Hits, Is.LessThan(0.02), "by chance: a token is one of 64");
    }

    [Test]
    public void Eight_rows_generate_as_many_tokens_in_a_pass_and_the_first_comes_after_its_own_prompt()
    {
        // All eight at once: 8 · 0.017 s of prompts, of which a pass follows each, and 9 passes more for the last of them.
        TraceRequest[] trace = [.. Enumerable.Range(0, 8).Select(i => Cold(0, i, 17, 10)), Cold(2, 8, 64, 1)];
        FleetResult result = Run(new FleetSettings { Times = s_times }, trace);
        Assert.That(result.TokensPerSecond * 2, Is.EqualTo(80).Within(1));
        Assert.That(result.Busy * 2, Is.EqualTo((8 * 0.017) + (16 * 0.010)).Within(1e-6), "the last prompt's pass is the eighth, and eight follow");
    }

    [Test]
    public void A_session_of_128_192_and_256_tokens_takes_320_of_576_from_the_cache()
    {
        TraceRequest[] trace =
            [.. new[] { 64, 128, 192 }.Select((tokens, i) => new TraceRequest(5 * i, "session", [new("team", 64), new("file", tokens)], 4))];
        foreach (int silos in new[] { 1, 8 })
        {
            FleetResult result = Run(new FleetSettings { Times = s_times, Silos = silos }, trace);
            Assert.That(result.Hits, Is.EqualTo(320 / 576.0).Within(1e-12), $"{silos} silos: 0, 128 and 192");
        }
    }

    [Test]
    public void Same_seed_same_result_and_prefix_placement_finds_more_than_random()
    {
        TraceRequest[] trace = new TraceGenerator(seed: 3, silos: 4, seconds: 20, rate: 1).Make();
        TraceRequest[] again = new TraceGenerator(seed: 3, silos: 4, seconds: 20, rate: 1).Make();
        Assert.That(again.Select(one => (one.Time, one.Ids(64))), Is.EqualTo(trace.Select(one => (one.Time, one.Ids(64)))));
        FleetResult[] results = [.. new[] { "prefix", "prefix", "random" }.Select(
            placement => Run(new FleetSettings { Times = s_times, Silos = 4, Placement = placement }, trace))];
        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[0].Hits, Is.GreaterThan(1.2 * results[2].Hits));
        Assert.That(results.Select(result => result.Requests), Is.All.EqualTo(trace.Length));
    }

    [Test]
    public void A_time_between_measured_ones_is_on_the_line_between_them_and_grows_with_what_was_before()
    {
        var times = new StepTimes
        {
            Model = "none", Machine = "none", Prompt = [new(32, 0, 100), new(64, 0, 180), new(64, 1000, 244)],
            Decode = [new(1, 100, 30), new(8, 100, 44), new(8, 600, 84)],
        };
        Assert.That(times.PromptSeconds(48, 0), Is.EqualTo(0.140).Within(1e-12));
        Assert.That(times.PromptSeconds(96, 0), Is.EqualTo(0.260).Within(1e-12), "beyond the last it goes on");
        Assert.That(times.PromptSeconds(64, 500), Is.EqualTo(0.212).Within(1e-12), "64 · 500 tokens of 0.001 ms");
        Assert.That(times.DecodeSeconds(8, 8 * 350), Is.EqualTo(0.064).Within(1e-12), "8 · 250 tokens of 0.01 ms");
        Assert.That(times.DecodeSeconds(4, 4 * 100), Is.EqualTo(0.036).Within(1e-12));
    }

    [Test]
    public void A_trace_is_read_as_it_was_written_and_a_wrong_line_is_named()
    {
        string file = Path.GetTempFileName();
        try
        {
            TraceRequest[] trace = new TraceGenerator(seed: 1, silos: 1, seconds: 10, rate: 1).Make();
            FleetTrace.Write(file, trace);
            TraceRequest[] read = FleetTrace.Read(file);
            Assert.That(read.Select(one => (one.Time, one.NewTokens)), Is.EqualTo(trace.Select(one => (one.Time, one.NewTokens))));
            Assert.That(read.Select(one => one.Ids(100)), Is.EqualTo(trace.Select(one => one.Ids(100))));
            File.AppendAllText(file, "{\"time\":2}\n");
            Assert.That(() => FleetTrace.Read(file),
                Throws.InstanceOf<InvalidDataException>().With.Message.StartsWith($"{file} line {trace.Length + 1} has a time below 0"));
            File.WriteAllText(file, "time 1");
            Assert.That(() => FleetTrace.Read(file), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("line 1: 'time 1' is an invalid"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void A_placement_that_there_is_not_is_named_with_those_that_there_are() => Assert.That(
        () => FleetPlacement.Of("hash", 1),
        Throws.ArgumentException.With.Message.StartsWith("There is no placement \"hash\". There are: prefix, longest, hash-1"));

    private static TraceRequest Cold(double time, int number, int tokens, int newTokens) => new(time, "cold", [new($"own-{number}", tokens)], newTokens);

    private static FleetResult Run(FleetSettings settings, TraceRequest[] trace) => FleetSimulation.Run(settings, trace, s_model.Value);
}
