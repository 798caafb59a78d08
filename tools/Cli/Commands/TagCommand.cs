using System.CommandLine;
using ManagedTransformers.Serving;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx tag: the parts of a text that have a label.</summary>
internal sealed class TagCommand : MtxCommand
{
    private readonly Argument<string?> _text = CommonOptions.OptionalText("TEXT", "The text");
    private readonly Option<string?> _aggregation =
        CommonOptions.Choice("--aggregation", "How tokens become entities. Default: simple.", "none", "simple", "first", "average", "max");
    private readonly Option<int?> _stride =
        CommonOptions.Bounded("--stride", "N", "Read a text that is too long in windows that share N tokens with their neighbour.", 0);
    private readonly Option<int?> _window =
        CommonOptions.Bounded("--window", "N", "Tokens of a window, special tokens included. Default: as many as the model reads.", 1);

    private readonly Option<bool> _trimOffsets = CommonOptions.Flag("--trim-offsets", "Leave white space at both ends out of the spans.");
    private readonly CorpusArguments _corpus = new();

    public TagCommand(CliConsole console)
        : base("tag", "Find and label parts of a text (token classification)", console)
    {
        Add(_text);
        foreach (Option option in new Option[] { _aggregation, _stride, _window, _trimOffsets })
            Add(option);
        _corpus.AddTo(this, _text, file: null);
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _corpus.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var options = new TokenClassificationOptions
        {
            Aggregation = Enum.Parse<AggregationStrategy>(context.Get(_aggregation) ?? "simple", ignoreCase: true),
            Stride = context.Get(_stride),
            WindowLength = context.Get(_window),
            TrimOffsets = context.Get(_trimOffsets),
        };
        if (_corpus.IsForCluster(context))
            return _corpus.RunOnClusterAsync(context, ModelLocator.Tagger, options, before: null, cancellationToken);
        using TokenClassificationPipeline pipeline = TokenClassificationPipeline.Load(
            context.ModelDirectory(ModelLocator.Tagger), _corpus.PipelineOptions(context));
        if (_corpus.IsGiven(context))
            return Task.FromResult(_corpus.Run(context, CorpusTask.Tag(pipeline, options), cancellationToken));
        string text = context.Text(context.Get(_text)!);
        IReadOnlyList<Entity> entities = pipeline.Tag(text, options, cancellationToken);

        var result = new TagResult(text, [.. entities.Select(e => new TagEntity(e.Label, e.Score, e.CodePointStart, e.CodePointEnd, e.Text))]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.TagResult))
            ShowTable(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static void ShowTable(CliConsole console, TagResult result)
    {
        if (result.Entities.Length == 0)
        {
            console.Out.WriteLine("nothing found");
            return;
        }
        Table table = Show.Table(console, "label", ">score", "", ">from", ">to", "text");
        foreach (TagEntity entity in result.Entities)
        {
            table.AddRow(Show.Cell(entity.Label, Color.Yellow), Show.Number(entity.Score, "0.00000"), Show.Bar(console, entity.Score),
                Show.Number(entity.Start, "0"), Show.Number(entity.End, "0"), Show.Quoted(entity.Text));
        }
        Show.Write(console, table);
    }
}

/// <summary>The labelled parts, in the text's order.</summary>
internal sealed record TagResult(string Text, TagEntity[] Entities);

/// <summary>A labelled part; start and end are a half-open span in Unicode code points.</summary>
internal sealed record TagEntity(string Label, float Score, int Start, int End, string Text);
