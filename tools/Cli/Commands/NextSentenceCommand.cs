using System.CommandLine;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx next-sentence: whether a text follows another.</summary>
internal sealed class NextSentenceCommand : MtxCommand
{
    private readonly Argument<string> _first = CommonOptions.Text("FIRST", "The first text");
    private readonly Argument<string> _second = CommonOptions.Text("SECOND", "The text that may follow it");
    private readonly Option<bool> _truncate = CommonOptions.Flag("--truncate", "Cut the longer text where both are too long, instead of refusing them.");

    public NextSentenceCommand(CliConsole console)
        : base("next-sentence", "Score whether a text follows another", console)
    {
        Add(_first);
        Add(_second);
        Add(_truncate);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using NextSentencePipeline pipeline = NextSentencePipeline.Load(context.ModelDirectory(demo: null), context.PipelineOptions());
        (string first, string second) = (context.Text(context.Get(_first)!), context.Text(context.Get(_second)!));
        NextSentenceScore score = pipeline.Score(first, second, context.Get(_truncate), cancellationToken);

        var result = new NextSentenceResult(first, second, score.IsNext, score.NotNext);
        if (context.WriteJson(result, CliJsonContext.Relaxed.NextSentenceResult))
            return Task.FromResult(ExitCodes.Ok);
        Table table = Show.Table(context.Console, "", ">score", "");
        table.AddRow(Show.Cell("follows"), Show.Number(result.IsNext, "0.00000"), Show.Bar(context.Console, result.IsNext));
        table.AddRow(Show.Cell("does not"), Show.Number(result.NotNext, "0.00000"), Show.Bar(context.Console, result.NotNext));
        Show.Write(context.Console, table);
        return Task.FromResult(ExitCodes.Ok);
    }
}

/// <summary>The two probabilities; they sum to 1.</summary>
internal sealed record NextSentenceResult(string First, string Second, float IsNext, float NotNext);
