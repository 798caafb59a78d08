using System.CommandLine;
using System.Globalization;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Models;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx quality: how far a model's predictions are from another's, such as those of quantized weights from the stored ones.</summary>
internal sealed class QualityCommand : MtxCommand
{
    private readonly Argument<string?> _directory =
        new("DIR") { Arity = ArgumentArity.ZeroOrOne, Description = "The model, which --weights and --quantize-head are for; the same as --model DIR." };
    private readonly Option<string> _against =
        new("--against") { HelpName = "DIR", Required = true, Description = "The model to compare with, its weights as they are stored; it may be DIR." };
    private readonly Option<string> _text =
        new("--text") { HelpName = "FILE", Required = true, Description = "The text that both read, of any length; '-' reads standard input." };
    private readonly Option<int?> _window = CommonOptions.Bounded("--window", "N", "Most tokens that the models read at once. Default: all they can.", 2);

    public QualityCommand(CliConsole console)
        : base("quality", "Compare a model's predictions with another's: what quantized weights cost", console)
    {
        Add(_directory);
        foreach (Option option in new Option[] { _against, _text, _window })
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(_directory) is null == result.GetValue(Common.Model) is null)
                result.AddError("One model is needed: DIR or --model DIR.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string directory = ModelLocator.Resolve(context.Get(_directory) ?? context.ModelOption!, context.RevisionOption);
        string againstDirectory = ModelLocator.Resolve(context.Get(_against)!, revision: null);
        string file = context.Get(_text)!;
        string text = file == "-" ? context.Text(file) : Utf8Input.Require(File.ReadAllText(file, Utf8Input.Encoding), file);
        LoadOptions load = context.LoadOptions(), asStored = load with { WeightFormat = WeightFormat.AsStored, QuantizeHead = false };
        using TextScorer model = TextScorer.Load(directory, new PipelineOptions { Load = load });
        using TextScorer against = TextScorer.Load(againstDirectory, new PipelineOptions { Load = asStored });
        ModelComparison found = Compare(model, against, text, new ScoringOptions { Window = context.Get(_window) }, context.Console, cancellationToken);

        var result = new QualityResult(directory, CommonOptions.WordOf(load.WeightFormat), load.QuantizeHead, againstDirectory, found.TokenCount,
            found.MeanDivergence, found.Divergence99, found.Agreement, found.Perplexity, found.AgainstPerplexity);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.QualityResult))
            Write(context.Console, result);
        return Task.FromResult(ExitCodes.Ok);
    }

    private static ModelComparison Compare(TextScorer model, TextScorer against, string text, ScoringOptions options, CliConsole console,
        CancellationToken cancellationToken)
    {
        try
        {
            return ModelComparison.Of(model, against, text, options, new ScoringBar(console), cancellationToken);
        }
        finally
        {
            console.ShowProgress("");
        }
    }

    private static void Write(CliConsole console, QualityResult result)
    {
        string weights = result.Weights + (result.QuantizeHead ? ", head too" : "");
        Table table = Show.Table(console, "weights", $">{weights}");
        void Add(string name, double value, string format) => table.AddRow(Show.Cell(name), Show.Cell(value.ToString(format, CultureInfo.InvariantCulture)));
        Add("KL divergence, mean", result.KlDivergenceMean, "0.00000");
        Add("KL divergence, 99th percentile", result.KlDivergencePercentile99, "0.00000");
        Add("top-1 agreement", result.Top1Agreement, "0.0000");
        Add("perplexity", result.Perplexity, "0.000");
        Add("perplexity of --against", result.AgainstPerplexity, "0.000");
        Add("tokens", result.Tokens, "0");
        Show.Write(console, table);
    }
}

/// <summary>How far a model is from the one that it is compared with; logarithms are natural.</summary>
internal sealed record QualityResult(
    string Model, string Weights, bool QuantizeHead, string Against, int Tokens, double KlDivergenceMean, double KlDivergencePercentile99, double Top1Agreement,
    double Perplexity, double AgainstPerplexity);
