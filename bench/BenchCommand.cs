using System.CommandLine;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>What one run of the bench measures, and where its results go.</summary>
internal sealed record BenchSettings
{
    public required IReadOnlyList<string> Groups { get; init; }

    public required IReadOnlyList<int> Threads { get; init; }

    /// <summary>Levels that were asked for; null: the best one, and for GEMM all.</summary>
    public IReadOnlyList<KernelLevel>? Levels { get; init; }

    public bool Peers { get; init; }

    /// <summary>Only the works that <see cref="WorkCatalog"/> chooses for a short run.</summary>
    public bool Quick { get; init; }

    /// <summary>Only works whose name contains this.</summary>
    public string? Filter { get; init; }

    /// <summary>A fixed number of timed runs (of pairs, with peers); null: as many as fit into <see cref="Seconds"/>.</summary>
    public int? Runs { get; init; }

    public double Seconds { get; init; }

    public required string Cache { get; init; }

    public bool Json { get; init; }

    public string? Markdown { get; init; }

    public string? Svg { get; init; }
}

/// <summary>The command line of the end-to-end bench.</summary>
internal static class BenchCommand
{
    private const double Seconds = 3, QuickSeconds = 2;

    public static RootCommand Create()
    {
        var groups = new Argument<string[]>("WORK")
        {
            Description = "What to measure. (micro … runs the BenchmarkDotNet benchmarks.)",
            Arity = ArgumentArity.ZeroOrMore,
        };
        groups.AcceptOnlyFromAmong([.. WorkCatalog.Groups, WorkCatalog.Seed, "all"]);
        var quick = new Option<bool>("--quick") { Description = "A choice of works that covers each area, in about two minutes." };
        var json = new Option<bool>("--json") { Description = "Write the results to standard output; everything else goes to standard error." };
        var peers = new Option<bool>("--peers") { Description = "Measure ONNX Runtime and llama.cpp alternately with ours." };
        var threads = new Option<string>("--threads")
        {
            Description = "Numbers of threads, such as 1,2.",
            DefaultValueFactory = _ => $"{Environment.ProcessorCount}",
        };
        var level = new Option<string?>("--level")
        {
            Description = $"Kernel levels, such as Avx2,Portable, or all. Here: {string.Join(", ", Levels("all")!)}. Default: the best; for gemm all.",
        };
        threads.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => token.Value.Split(',').Any(text => !int.TryParse(text, out int count) || count < 1)))
                result.AddError($"--threads is {result.Tokens[0].Value}; numbers from 1 on are needed, such as 1,2.");
        });
        level.Validators.Add(result =>
        {
            static bool IsLevel(string name) => Enum.TryParse(name, ignoreCase: true, out KernelLevel value) && KernelDispatch.IsSupported(value);
            if (result.Tokens.Any(token => token.Value != "all" && !token.Value.Split(',').All(IsLevel)))
                result.AddError($"--level is {result.Tokens[0].Value}; this CPU has {string.Join(", ", KernelDispatch.Supported)}.");
        });
        var filter = new Option<string?>("--filter") { Description = "Only works whose name contains this text." };
        var runs = new Option<int?>("--runs") { Description = "Timed runs per work (pairs with --peers). Default: as many as fit into --seconds." };
        var seconds = new Option<double?>("--seconds") { Description = $"Time for each work. Default: {Seconds}, with --quick {QuickSeconds}." };
        var cache = new Option<string>("--cache")
        {
            Description = "Where checkpoints and peers are kept.",
            DefaultValueFactory = _ => CheckpointCache.DefaultDirectory,
        };
        var markdown = new Option<string?>("--markdown")
        {
            Description = "Write the table to a file; in a file that has them, between the lines <!-- bench --> and <!-- /bench -->.",
        };
        var svg = new Option<string?>("--svg") { Description = "Write a roofline plot." };
        var root = new RootCommand("Measures the machine's limits, then ManagedTransformers as a share of them.")
        {
            groups, quick, json, peers, threads, level, filter, runs, seconds, cache, markdown, svg,
        };
        root.Validators.Add(result =>
        {
            bool named = result.GetValue(groups) is { Length: > 0 };
            if (!named && !result.GetValue(quick))
                result.AddError($"Say what to measure: {string.Join(", ", WorkCatalog.Groups)}, {WorkCatalog.Seed} or all; or --quick for a choice of all.");
            if (named && result.GetValue(quick))
                result.AddError("--quick chooses the works itself: leave out their names, or narrow the choice with --filter.");
        });
        root.SetAction(parsed => BenchRun.Execute(new BenchSettings
        {
            Groups = parsed.GetValue(groups) is { Length: > 0 } names && !names.Contains("all") ? names : WorkCatalog.Groups,
            Quick = parsed.GetValue(quick),
            Threads = [.. parsed.GetValue(threads)!.Split(',').Select(int.Parse)],
            Levels = Levels(parsed.GetValue(level)),
            Peers = parsed.GetValue(peers),
            Filter = parsed.GetValue(filter),
            Runs = parsed.GetValue(runs),
            Seconds = parsed.GetValue(seconds) ?? (parsed.GetValue(quick) ? QuickSeconds : Seconds),
            Cache = Path.GetFullPath(parsed.GetValue(cache)!),
            Json = parsed.GetValue(json),
            Markdown = parsed.GetValue(markdown),
            Svg = parsed.GetValue(svg),
        }));
        return root;
    }

    /// <summary>null: not said. "all": every level of this CPU but Reference, which is not made to be fast.</summary>
    private static KernelLevel[]? Levels(string? text) => text switch
    {
        null => null,
        "all" => [.. KernelDispatch.Supported.Where(level => level != KernelLevel.Reference).Reverse()],
        _ => [.. text.Split(',').Select(name => Enum.Parse<KernelLevel>(name, ignoreCase: true))],
    };
}
