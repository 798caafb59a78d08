using System.CommandLine;
using static ManagedTransformers.GenerationOptionGroup;

namespace ManagedTransformers.Cli;

/// <summary>mtx sample: completions of a benchmark's problems, one JSON object per line.</summary>
internal sealed class SampleCommand : MtxCommand
{
    private readonly Option<string> _problems = new("--problems")
    {
        HelpName = "FILE", Required = true, Description =
            "Problems, one JSON object per line: HumanEval's form (task_id, prompt) or MTPB's (id, prompts, inputs, outputs); '-' reads standard input.",
    };
    private readonly Option<int?> _n = CommonOptions.Bounded("--n", "N", "Samples per problem (MTPB: per problem and input). Default: 1.", 1);
    private readonly Option<string?> _out =
        new("--out") { HelpName = "FILE", Description = "Add the samples to this file; what it already has is not made again. Default: standard output." };
    private readonly GenerationArguments _generation = new(
        [Length, Sampling, Scores, Beams, Drafts, Cache],
        ("max_new_tokens", "256, for turns what the problem says"), ("truncation", "human-eval for prompts, codegen for turns"),
        ("temperature", "0.2"), ("top_p", "0.95"));

    public SampleCommand(CliConsole console)
        : base("sample", "Complete the problems of a benchmark (HumanEval, MTPB)", console)
    {
        foreach (Option option in new Option[] { _problems, _n, _out })
            Add(option);
        _generation.AddTo(this);
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _generation.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string file = context.Get(_problems)!;
        string? path = context.Get(_out) is string name ? new OutputFile("--out", name, force: true).Path : null;
        IReadOnlyList<Problem> problems =
            ProblemFile.Read(file, file == "-" ? context.Console.In.ReadToEnd().Split('\n') : File.ReadLines(file, Utf8Input.Encoding));
        using SampleFile? samples = path is null ? null : new SampleFile(path, problems);
        using TextGenerator generator = TextGenerator.Load(context.ModelDirectory(ModelLocator.Generator), context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator.Warnings);
        using TextGenerator? draft = _generation.OpenDraft(context);
        var sampler = new Sampler(generator);
        GenerationOptions options = _generation.Read(context, generator, draft, Sampled);
        sampler.RequireRoom(problems, options);
        int rounds = context.Get(_n) ?? 1;
        int made = MakeMissing(context.Console, problems, rounds, samples, sampler, options, cancellationToken);
        if (path is not null)
            Report(context, new SampleResult(problems.Count, problems.Sum(problem => problem.SamplesPerRound * rounds), made, path));
        return Task.FromResult(ExitCodes.Ok);
    }

    /// <summary>Sampling as the paper of multi-turn program synthesis does for pass@1, where --greedy does not forbid it.</summary>
    /// <remarks>Nijkamp et al. 2022, arXiv:2203.13474: nucleus sampling with top-p 0.95; temperature 0.2 is the best of theirs for pass@1.</remarks>
    private static GenerationOptions Sampled(GenerationOptions options) =>
        options.DoSample == false ? options : options with { DoSample = true, Temperature = options.Temperature ?? 0.2, TopP = options.TopP ?? 0.95 };

    /// <summary>Makes the samples that the file lacks.</summary>
    /// <returns>How many those were.</returns>
    private static int MakeMissing(
        CliConsole console, IReadOnlyList<Problem> problems, int rounds, SampleFile? samples, Sampler sampler, GenerationOptions options,
        CancellationToken cancellationToken)
    {
        bool Missing(SampleSlot slot) => slot.Index >= (samples?.Count(slot.Problem.TaskId) ?? 0);
        SampleSlot[][] batches = [.. SamplePlan.Batches(problems, rounds)];
        int made = 0;
        SampleProgress.Run(console, batches.Sum(batch => batch.Count(Missing)), report =>
        {
            for (int number = 0; number < batches.Length; number++)
            {
                // A batch of which some samples are missing is made as a whole: its samples are then those of a run that was not interrupted.
                SampleSlot[] batch = batches[number];
                int before = made, missing = batch.Count(Missing);
                if (missing == 0)
                    continue;
                var progress = new BatchProgress(done => report(before + Math.Min(done, missing)));
                // Sample i of a problem draws with seed + i: it is the same in a run that is resumed, and stays when more are asked for.
                GenerationOptions own = options with { Seed = unchecked(options.Seed + batch[0].Round) };
                IReadOnlyList<string> lines = sampler.Make(batch, own, progress, cancellationToken);
                foreach ((SampleSlot _, string line) in batch.Zip(lines).Where(sample => Missing(sample.First)))
                {
                    Write(console, samples, line);
                    report(++made);
                }
            }
        });
        return made;
    }

    private static void Write(CliConsole console, SampleFile? samples, string line)
    {
        if (samples is not null)
        {
            samples.Append(line);
            return;
        }
        console.Out.WriteLine(line);
        console.Out.Flush();
    }

    private static void Report(CommandContext context, SampleResult result)
    {
        if (!context.WriteJson(result, CliJsonContext.Relaxed.SampleResult))
            context.Console.Out.WriteLine(
                $"{Show.Visible(result.Out)} has {result.Samples} samples of {result.Problems} problems, {result.Added} of them new.");
    }

    // Not Progress<int>, which reports from another thread, and so out of order.
    private sealed class BatchProgress(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}

/// <summary>Problems, the samples that they need together, how many of them this run added, and the file.</summary>
internal sealed record SampleResult(int Problems, int Samples, int Added, string Out);
