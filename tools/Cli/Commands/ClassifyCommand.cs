using System.CommandLine;
using ManagedTransformers.Serving;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx classify: the classes of a text, with scores.</summary>
internal sealed class ClassifyCommand : MtxCommand
{
    private readonly Argument<string?> _text = CommonOptions.OptionalText("TEXT", "The text");
    private readonly Option<string?> _pair = new("--pair") { HelpName = "TEXT", Description = "The second text of a pair." };
    private readonly Option<int?> _topK = CommonOptions.Bounded("--top-k", "N", "Only the best N classes. Default: all.", 1);
    private readonly Option<bool> _truncate = CommonOptions.Truncate();
    private readonly CorpusArguments _corpus = new();

    public ClassifyCommand(CliConsole console)
        : base("classify", "Classify a text, or a pair of texts", console)
    {
        Add(_text);
        foreach (Option option in new Option[] { _pair, _topK, _truncate })
            Add(option);
        _corpus.AddTo(this, _text, file: null, _pair);
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _corpus.Groups;

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        var options = new TextClassificationOptions { TopK = context.Get(_topK), Truncation = context.Get(_truncate) };
        if (_corpus.IsForCluster(context))
            return _corpus.RunOnClusterAsync(context, ModelLocator.LanguageId, options, before: null, cancellationToken);
        using TextClassificationPipeline pipeline = TextClassificationPipeline.Load(
            context.ModelDirectory(ModelLocator.LanguageId), _corpus.PipelineOptions(context));
        if (_corpus.IsGiven(context))
            return Task.FromResult(_corpus.Run(context, CorpusTask.Classify(pipeline, options), cancellationToken));
        string text = context.Text(context.Get(_text)!);
        string? pair = context.Get(_pair) is string second ? context.Text(second) : null;
        IReadOnlyList<LabelScore> labels = pipeline.Classify(text, pair, options, cancellationToken);

        var result = new ClassifyResult(text, pair, [.. labels.Select(label => new ClassifyLabel(label.Label, label.Id, label.Score))]);
        if (context.WriteJson(result, CliJsonContext.Relaxed.ClassifyResult))
            return Task.FromResult(ExitCodes.Ok);
        Table table = Show.Table(context.Console, "label", ">score", "");
        foreach (ClassifyLabel label in result.Labels)
            table.AddRow(Show.Cell(label.Label), Show.Number(label.Score, "0.00000"), Show.Bar(context.Console, label.Score));
        Show.Write(context.Console, table);
        return Task.FromResult(ExitCodes.Ok);
    }
}

/// <summary>The classes, best first.</summary>
internal sealed record ClassifyResult(string Text, string? Pair, ClassifyLabel[] Labels);

/// <summary>A class: its name and number in config.json's id2label, and its probability.</summary>
internal sealed record ClassifyLabel(string Label, int Id, float Score);
