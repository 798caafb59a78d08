using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Bench;

/// <summary><c>fleet</c>: fleets of some sizes under a trace, with some rules of placement, in virtual time.</summary>
internal static class FleetCommand
{
    public const string Command = "fleet";

    private static readonly string s_times = Path.Combine(CheckpointCache.RepositoryRoot, "bench", "data", "fleet-steps.json");

    public static RootCommand Create()
    {
        var silos = new Option<string>("--silos") { Description = "Numbers of silos.", DefaultValueFactory = _ => "1,4,16,64" };
        var rates = new Option<string>("--rates")
        {
            Description = "Requests in a second for each silo. At the last one silos should be busy all the time.", DefaultValueFactory = _ => "0.8,2.4",
        };
        var placements = new Option<string>("--placements")
        {
            Description = "Rules of placement.", DefaultValueFactory = _ => string.Join(',', FleetPlacement.Usual),
        };
        var seconds = new Option<double>("--seconds") { Description = "Length of the trace.", DefaultValueFactory = _ => 120 };
        var seed = new Option<int>("--seed") { Description = "Of the trace.", DefaultValueFactory = _ => 1 };
        var cache = new Option<int>("--cache-tokens") { Description = "Tokens in a silo's cache.", DefaultValueFactory = _ => 25_600 };
        var rows = new Option<int>("--rows")
        {
            Description = "Texts that a silo generates at once.", DefaultValueFactory = _ => new GenerationEngineOptions().MaxRows,
        };
        var trace = new Option<string?>("--trace") { Description = "A trace of your own, in place of generated ones: lines of JSON (docs/scale-out.md)." };
        var save = new Option<string?>("--save-trace") { Description = "Write the generated trace of the first number of silos and the first rate, and end." };
        var steps = new Option<string>("--steps") { Description = "Times of steps.", DefaultValueFactory = _ => s_times };
        var measure = new Option<string?>("--measure") { Description = "Measure the times of steps on this machine, write them to a file, and end." };
        var directory = new Option<bool>("--directory") { Description = "Measure what the directory takes for a request, and end." };
        var csv = new Option<string?>("--csv") { Description = "Write the results to a file." };
        var svg = new Option<string?>("--svg") { Description = "Write a plot." };
        var root = new RootCommand("Simulates fleets in virtual time: real engines, placement and directory entries; passes take the time that was measured.")
        {
            silos, rates, placements, seconds, seed, cache, rows, trace, save, steps, measure, directory, csv, svg,
        };
        AddNumbers(silos, text => int.TryParse(text, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 1000);
        AddNumbers(rates, text => double.TryParse(text, CultureInfo.InvariantCulture, out double rate) && rate > 0);
        root.SetAction(async (parsed, _) =>
        {
            if (parsed.GetValue(measure) is string target)
                return Measure(target);
            if (parsed.GetValue(directory))
                return await DirectoryCost.RunAsync();
            int[] counts = [.. parsed.GetValue(silos)!.Split(',').Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
            double[] perSecond = [.. parsed.GetValue(rates)!.Split(',').Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
            TraceRequest[] Generated(int count, double rate) => new TraceGenerator(parsed.GetValue(seed), count, parsed.GetValue(seconds), rate).Make();
            if (parsed.GetValue(save) is string saved)
            {
                FleetTrace.Write(saved, Generated(counts[0], perSecond[0]));
                return 0;
            }
            TraceRequest[]? own = parsed.GetValue(trace) is string path ? FleetTrace.Read(path) : null;
            var fleet = new FleetSettings
            {
                Times = StepTimes.Read(parsed.GetValue(steps)!), CacheTokens = parsed.GetValue(cache), Seed = parsed.GetValue(seed),
                Engine = new GenerationEngineOptions { MaxRows = parsed.GetValue(rows) },
            };
            (FleetSettings, Func<TraceRequest[]>)[] runs =
            [
                .. from rate in own is null ? perSecond : [0]
                   from count in counts
                   from placement in parsed.GetValue(placements)!.Split(',')
                   select (fleet with { Silos = count, Placement = placement }, (Func<TraceRequest[]>)(() => own ?? Generated(count, rate))),
            ];
            FleetResult[] results = Run(runs);
            if (parsed.GetValue(csv) is string table)
                File.WriteAllLines(table, results.Select(result => result.Line).Prepend(FleetResult.Header));
            if (parsed.GetValue(svg) is string plot)
            {
                int each = results.Length / (own is null ? perSecond.Length : 1);
                string title = $"Simulated fleet; steps of {fleet.Times.Model} on {fleet.Times.Machine.Split(',')[0]}";
                File.WriteAllText(plot, FleetPlot.Draw(title, results[..each], results[^each..]));
            }
            return 0;
        });
        return root;
    }

    // Each simulation has one thread.
    private static FleetResult[] Run((FleetSettings Settings, Func<TraceRequest[]> Trace)[] runs)
    {
        using TextGenerator model = IdleModel.Generator();
        Console.WriteLine(FleetResult.Header);
        ParallelQuery<(FleetSettings Settings, Func<TraceRequest[]> Trace)> all = runs.AsParallel().AsOrdered();
        return
        [
            .. all.WithDegreeOfParallelism(Environment.ProcessorCount).Select(run =>
            {
                FleetResult result = FleetSimulation.Run(run.Settings, run.Trace(), model);
                Console.WriteLine(result.Line);
                return result;
            }),
        ];
    }

    private static int Measure(string target)
    {
        using var models = new ModelCache(new CheckpointCache(CheckpointCache.DefaultDirectory, Console.WriteLine));
        new StepMeasure(models, Console.WriteLine).Run().Write(target);
        return 0;
    }

    private static void AddNumbers(Option<string> option, Func<string, bool> isRight) => option.Validators.Add((OptionResult result) =>
    {
        if (result.Tokens.Any(token => !token.Value.Split(',').All(isRight)))
            result.AddError($"{option.Name} is {result.Tokens[0].Value}; numbers above 0 are needed, such as {option.GetDefaultValue()}.");
    });
}
