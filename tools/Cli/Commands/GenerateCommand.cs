using System.CommandLine;
using System.Text;

namespace ManagedTransformers.Cli;

/// <summary>mtx generate: continues a text, piece by piece.</summary>
internal sealed class GenerateCommand : MtxCommand
{
    private readonly Argument<string> _prompt = CommonOptions.Text("PROMPT", "The text to continue");
    private readonly GenerationArguments _generation = new();
    private readonly Option<string?> _truncate = TruncationOption.Create("none");
    private readonly Option<bool> _noPrompt = CommonOptions.Flag("--no-prompt", "Write only the new text.");

    public GenerateCommand(CliConsole console)
        : base("generate", "Continue a text", console)
    {
        Add(_prompt);
        _generation.AddTo(this);
        Add(_truncate);
        Add(_noPrompt);
    }

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using TextGenerator generator = TextGenerator.Load(context.ModelDirectory(ModelLocator.CodeGen), context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator);
        string prompt = context.Text(context.Get(_prompt)!);
        IAsyncEnumerable<TextPiece> pieces = generator.StreamAsync(prompt, _generation.Read(context), cancellationToken);
        if (TruncationOption.Of(context.Get(_truncate)) is TruncationRecipe recipe)
            pieces = recipe.StreamAsync(pieces, prompt, cancellationToken);
        var text = new StringBuilder();
        var ids = new List<int>();
        var view = context.Json ? null : new StreamView(context.Console);
        try
        {
            if (!context.Get(_noPrompt))
                view?.WriteGiven(prompt);
            await foreach (TextPiece piece in pieces.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                text.Append(piece.Text);
                ids.AddRange(piece.TokenIds);
                view?.WriteNew(piece.Text);
            }
        }
        finally
        {
            view?.End();
        }
        context.WriteJson(new GenerateResult(prompt, text.ToString(), [.. ids]), CliJsonContext.Relaxed.GenerateResult);
        return ExitCodes.Ok;
    }
}

/// <summary>A prompt, the text that continues it (without the prompt), and the new ids, an end token included.</summary>
internal sealed record GenerateResult(string Prompt, string GeneratedText, int[] TokenIds);

/// <summary>Text that appears while it is made. On terminals what was given is grey, and control characters are shown instead of obeyed.</summary>
internal sealed class StreamView(CliConsole console)
{
    private bool _lineOpen;

    /// <summary>Writes text of the user.</summary>
    public void WriteGiven(string text) => Write(text, given: true);

    /// <summary>Writes text of the model.</summary>
    public void WriteNew(string text) => Write(text, given: false);

    /// <summary>Ends the last line.</summary>
    public void End()
    {
        if (_lineOpen)
            console.Out.WriteLine();
        console.Out.Flush();
    }

    private void Write(string text, bool given)
    {
        if (text.Length == 0)
            return;
        string shown = console.OutIsTerminal ? Show.Printable(text) : text;
        console.Out.Write(given ? Show.Grey(console, shown) : shown);
        console.Out.Flush();
        _lineOpen = !text.EndsWith('\n');
    }
}
