using System.CommandLine;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>mtx generate: continues a text, piece by piece; or answers requests, line by line.</summary>
internal sealed class GenerateCommand : MtxCommand
{
    private readonly Argument<string?> _prompt =
        new("PROMPT") { Arity = ArgumentArity.ZeroOrOne, Description = "The text to continue; '-' reads it from standard input." };
    private readonly Option<string?> _promptFile =
        new("--prompt-file") { HelpName = "FILE", Description = "Continue the text of this file, as it is, instead of PROMPT." };
    private readonly Option<string?> _requests = new("--requests")
    {
        HelpName = "FILE",
        Description = "Answer requests, one JSON object per line, with one JSON object per line (see docs/cli.md); '-' reads standard input.",
    };
    private readonly Option<bool> _noPrompt = CommonOptions.Flag("--no-prompt", "Write only the new text.");
    private readonly Option<string?> _session = new("--session")
    {
        HelpName = "FILE", Description = "Go on with what this file holds of an earlier run, and save what was read and written: only what is new is computed.",
    };
    private readonly Option<bool> _timings = CommonOptions.Flag("--timings", "Tell tokens, tokens per second, passes and drafts on standard error.");
    private readonly GenerationArguments _generation = new(Enum.GetValues<GenerationOptionGroup>());

    public GenerateCommand(CliConsole console)
        : base("generate", "Continue a text", console)
    {
        Add(_prompt);
        foreach (Option option in new Option[] { _promptFile, _requests, _noPrompt, _session, _timings })
            Add(option);
        _generation.AddTo(this);
        Validators.Add(result =>
        {
            string?[] sources = [result.GetValue(_prompt), result.GetValue(_promptFile), result.GetValue(_requests)];
            if (sources.Count(source => source is not null) != 1)
                result.AddError("One of PROMPT, --prompt-file FILE and --requests FILE is needed.");
            if (result.GetValue(_requests) is null)
                return;
            foreach (Option option in new Option[] { _noPrompt, _session })
            {
                if (result.GetResult(option) is { Implicit: false })
                    result.AddError($"--requests and {option.Name} exclude each other.");
            }
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _generation.Groups;

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using TextGenerator? draft = _generation.OpenDraft(context);
        string directory = context.ModelDirectory(ModelLocator.Generator);
        if (context.Get(_requests) is string requests)
        {
            using var answerer = RequestAnswerer.Open(directory, context);
            GenerationOptions asked = _generation.Read(context, answerer.Tokenizer, answerer.Defaults, draft);
            await answerer.AnswerAllAsync(requests, asked, context.Get(_timings), cancellationToken).ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        string? path = context.Get(_session);
        OutputFile? kept = path is null ? null : new OutputFile("--session", path, force: true);
        using TextGenerator generator = TextGenerator.Load(directory, context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator.Warnings);
        string prompt = context.Get(_promptFile) is string file
            ? Utf8Input.Require(await File.ReadAllTextAsync(file, Utf8Input.Encoding, cancellationToken).ConfigureAwait(false), file)
            : context.Text(context.Get(_prompt)!);
        GenerationOptions options = _generation.Read(context, generator, draft);
        SessionOptions? typed = options.KeyValueType is WeightType type ? new SessionOptions { KeyValueType = type } : null;
        using GenerationSession? session = path is null ? null : generator.CreateSession(typed);
        if (path is not null && File.Exists(RealPath.Of(path)))           // a link to what is to be made is none yet
            session!.Load(path);
        var call = new Call(context, generator, session, prompt, options);
        if (options.Over(generator.Defaults) is { NumBeams: null or 1, NumReturnSequences: null or 1 })
            await StreamAsync(call, cancellationToken).ConfigureAwait(false);
        else
            WriteSeveral(call, cancellationToken);
        kept?.Write(to => session!.Save(to));
        return ExitCodes.Ok;
    }

    private async Task StreamAsync(Call call, CancellationToken cancellationToken)
    {
        IAsyncEnumerable<TextPiece> pieces =
            call.Session?.StreamAsync(call.Prompt, call.Options, cancellationToken) ?? call.Generator.StreamAsync(call.Prompt, call.Options, cancellationToken);
        var all = new List<TextPiece>();
        var view = call.Context.Json ? null : new StreamView(call.Context.Console);
        try
        {
            if (!call.Context.Get(_noPrompt))
                view?.WriteGiven(call.Prompt);
            await foreach (TextPiece piece in pieces.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                all.Add(piece);
                view?.WriteNew(piece.Text);
            }
        }
        finally
        {
            view?.End();
        }
        (string text, int[] ids) = (string.Concat(all.Select(piece => piece.Text)), [.. all.SelectMany(piece => piece.TokenIds)]);
        var written = new WrittenText(text, ids, WrittenText.NameOf(all[^1].FinishReason!.Value))
        {
            LogProbabilities = all[0].LogProbabilities is null ? null : [.. all.SelectMany(piece => piece.LogProbabilities!).Select(ChosenToken.Of)],
        };
        if (view is not null && written.LogProbabilities is { } tokens)
            GenerateView.WriteTokens(call.Context.Console, tokens);
        Report(call, [written], all[^1].Usage!, first: 1);
    }

    private void WriteSeveral(Call call, CancellationToken cancellationToken)
    {
        GenerationOutput output = call.Session?.Generate(call.Prompt, call.Options, cancellationToken)
            ?? call.Generator.GenerateSequences([call.Prompt], call.Options, progress: null, cancellationToken);
        WrittenText[] texts = [.. output.Sequences.Select(WrittenText.Of)];
        if (!call.Context.Json)
            GenerateView.WriteTexts(call.Context.Console, call.Context.Get(_noPrompt) ? "" : call.Prompt, texts);
        Report(call, texts, output.Usage, first: texts[0].Score is null ? texts.Length : 1);
    }

    private void Report(Call call, WrittenText[] texts, GenerationUsage usage, int first)
    {
        UsageResult? told = call.Context.Get(_timings) ? UsageResult.Of(usage, first) : null;
        call.Context.WriteJson(GenerateResult.Of(call.Prompt, texts, told), CliJsonContext.Relaxed.GenerateResult);
        told?.Write(call.Context.Console);
    }

    private sealed record Call(CommandContext Context, TextGenerator Generator, GenerationSession? Session, string Prompt, GenerationOptions Options);
}
