using System.CommandLine;
using System.Text;
using ManagedTransformers.Diagnostics;

namespace ManagedTransformers.Cli;

/// <summary>mtx explain: one page that shows how a model treats a text.</summary>
internal sealed class ExplainCommand : MtxCommand
{
    private readonly Argument<string> _text = CommonOptions.Text("TEXT", "The text to explain, with the model's mask token (<mask> or [MASK]) for an encoder");
    private readonly Option<string?> _out = new("--out") { HelpName = "FILE", Description = "The page to write: one HTML file that needs nothing else." };
    private readonly Option<bool> _force = CommonOptions.Flag("--force", "Replace FILE where it exists.");
    private readonly Option<string?> _title = new("--title") { HelpName = "TEXT", Description = "The page's title. Default: the text's first line." };
    private readonly Option<int?> _mask = CommonOptions.Bounded("--mask", "N", "The mask with which the page opens, from 1 on. Default: 1.", 1);
    private readonly Option<int?> _generate = CommonOptions.Bounded("--generate", "N", "Write N tokens after the text and show every step. Default: 0.", 1);

    public ExplainCommand(CliConsole console)
        : base("explain", "Show how a model treats a text, as a web page", console)
    {
        Add(_text);
        foreach (Option option in new Option[] { _out, _force, _title, _mask, _generate })
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(_out) is null && !result.GetValue(Common.Json))
                result.AddError("--out FILE is needed, or --json, which writes the page's data.");
            if (result.GetValue(_mask) is not null && result.GetValue(_generate) is not null)
                result.AddError("--mask is for encoders, --generate for decoders; a model is one of them.");
        });
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string text = context.Text(context.Get(_text)!);
        bool force = context.Get(_force);
        OutputFile? file = context.Get(_out) is string path ? new OutputFile("--out", path, force) : null;
        bool masked = context.Get(_generate) is null && (context.Get(_mask) is not null || text.Contains("<mask>", StringComparison.Ordinal));
        string directory = context.ModelDirectory(masked ? ModelLocator.FillMask : ModelLocator.Generator);
        using ModelExplainer explainer = ModelExplainer.Load(directory, context.PipelineOptions());
        RequireKind(explainer, context.Get(_mask), context.Get(_generate));
        ModelExplanation explanation =
            Explain(explainer, text, new ExplanationOptions { Generate = context.Get(_generate) ?? 0 }, context.Console, cancellationToken);
        string name = context.ModelOption ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));
        ExplainResult result = ExplainData.Of(explanation, name, context.Get(_title) ?? TitleOf(text), FocusOf(explanation, context.Get(_mask) ?? 1));
        file?.Write(page => PendingFile.Write(page, Encoding.UTF8.GetBytes(ExplainPage.Html(result)), overwrite: force));
        if (!context.WriteJson(result, CliJsonContext.Relaxed.ExplainResult))
            context.Console.Out.WriteLine($"wrote {Show.Visible(file!.Path)}: {explanation.Tokens.Count} tokens, "
                + $"{explanation.Config.Layers} layers of {explanation.Config.Heads} heads, {Show.Bytes(new FileInfo(file.Path).Length)}");
        return Task.FromResult(ExitCodes.Ok);
    }

    private static void RequireKind(ModelExplainer explainer, int? mask, int? generate)
    {
        bool decoder = explainer.MaskToken is null;
        if (mask is not null && decoder)
            throw new UsageException(
                $"--mask is for encoders; {explainer.Model.Architecture} is a decoder, which fills no mask. Leave it out, or name another model with --model.");
        if (generate is not null && !decoder)
            throw new UsageException($"--generate is for decoders; {explainer.Model.Architecture} is an encoder, which generates nothing. "
                + "Leave it out, or name another model with --model.");
    }

    private static ModelExplanation Explain(ModelExplainer explainer, string text, ExplanationOptions options, CliConsole console,
        CancellationToken cancellationToken)
    {
        try
        {
            return explainer.Explain(text, options, new Bar(console), cancellationToken);
        }
        finally
        {
            console.ShowProgress("");
        }
    }

    /// <summary>The token that the page opens with: the last one of a decoder's text, a mask of an encoder's.</summary>
    private static int FocusOf(ModelExplanation explanation, int mask)
    {
        if (explanation.Causal)
            return explanation.Tokens.Count - 1;
        return mask <= explanation.Predictions.Count
            ? explanation.Predictions[mask - 1].Position
            : throw new UsageException(
                $"--mask is {mask}; the text has {explanation.Predictions.Count} {(explanation.Predictions.Count == 1 ? "mask" : "masks")}.");
    }

    private static string TitleOf(string text)
    {
        const int most = 60;
        string line = text.Split('\n', '\r').Select(one => one.Trim()).FirstOrDefault(one => one.Length > 0) ?? "A text";
        var characters = new System.Globalization.StringInfo(line);
        return characters.LengthInTextElements <= most ? line : $"{characters.SubstringByTextElements(0, most - 1)}…";
    }

    /// <summary>How far it is. Reports at once, unlike Progress&lt;T>.</summary>
    private sealed class Bar(CliConsole console) : IProgress<ExplanationProgress>
    {
        public void Report(ExplanationProgress value) =>
            console.ShowProgress($"{Show.BarText((double)value.Done / value.Total)} {value.Done} of {value.Total} passes");
    }
}
