using System.CommandLine;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx fill-mask: the likeliest tokens for every mask of a text.</summary>
internal sealed class FillMaskCommand : MtxCommand
{
    private readonly Argument<string> _text = CommonOptions.Text("TEXT", "The text, with the model's mask token (<mask> or [MASK]) where tokens are missing");
    private readonly Option<int?> _topK = CommonOptions.Bounded("--top-k", "N", "Candidates per mask. Default: 5.", 1);
    private readonly Option<string[]> _targets = new("--targets") { HelpName = "TOKEN", Description = "Only this candidate; repeat the option for more." };
    private readonly Option<bool> _truncate = CommonOptions.Truncate();

    public FillMaskCommand(CliConsole console)
        : base("fill-mask", "Fill the masks of a text", console)
    {
        Add(_text);
        foreach (Option option in new Option[] { _topK, _targets, _truncate })
            Add(option);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using FillMaskPipeline pipeline = FillMaskPipeline.Load(context.ModelDirectory(ModelLocator.FillMask), context.PipelineOptions());
        var options = new FillMaskOptions
        {
            TopK = context.Get(_topK) ?? FillMaskOptions.Default.TopK,
            Targets = context.Get(_targets) is { Length: > 0 } targets ? targets : null,
            Truncation = context.Get(_truncate),
        };
        string text = context.Text(context.Get(_text)!);
        IReadOnlyList<FilledMask> masks = pipeline.PredictMasks([text], options, progress: null, cancellationToken)[0].Masks;

        var result = new FillMaskResult(text, pipeline.MaskToken, [.. masks.Select(mask => (FillMaskCandidate[])
            [.. mask.Predictions.Select(p => new FillMaskCandidate(p.Score, p.TokenId, p.Token, p.TokenText, p.Sequence))])]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.FillMaskResult))
            ShowTables(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static void ShowTables(CliConsole console, FillMaskResult result)
    {
        for (int mask = 0; mask < result.Masks.Length; mask++)
        {
            if (result.Masks.Length > 1)
                console.Out.WriteLine($"mask {mask + 1} of {result.Masks.Length}");
            Table table = Show.Table(console, ">score", "", "fills with", ">id");
            foreach (FillMaskCandidate candidate in result.Masks[mask])
                table.AddRow(Show.Number(candidate.Score, "0.00000"), Show.Bar(console, candidate.Score), Show.Quoted(candidate.TokenText),
                    Show.Number(candidate.TokenId, "0"));
            Show.Write(console, table);
        }
        if (result.Masks is [[FillMaskCandidate best, ..]])
            console.Out.WriteLine($"\n{Show.Printable(best.Sequence)}");
    }
}

/// <summary>For every mask, in the text's order, its candidates, best first.</summary>
internal sealed record FillMaskResult(string Text, string MaskToken, FillMaskCandidate[][] Masks);

/// <summary>A candidate: its probability, its token, the token as text, and the text with the mask filled.</summary>
internal sealed record FillMaskCandidate(float Score, int TokenId, string Token, string TokenText, string Sequence);
