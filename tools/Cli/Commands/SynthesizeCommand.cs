using System.CommandLine;
using System.Runtime.CompilerServices;
using static ManagedTransformers.GenerationOptionGroup;

namespace ManagedTransformers.Cli;

/// <summary>mtx synthesize: a program in several turns, each asked for in natural language.</summary>
internal sealed class SynthesizeCommand : MtxCommand
{
    private readonly Argument<string[]> _turns = new("TURN")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "What the next part of the program shall do; each TURN is one. Without any: the lines of standard input, as they come.",
    };
    private readonly Option<string?> _file = new("--file") { HelpName = "FILE", Description = "Read the turns from the lines of this file." };
    private readonly Option<string?> _preamble = new("--preamble") { HelpName = "TEXT", Description = "Begin the program with this text, such as imports." };
    private readonly Option<bool> _dropOldest =
        CommonOptions.Flag("--drop-oldest", "Where the context no longer fits, leave the oldest turns out of it, instead of refusing.");
    private readonly GenerationArguments _generation = new(
        [Length, Sampling, Scores, Drafts, Cache],
        ("max_new_tokens", "256, or as many as still fit"), ("truncation", "codegen"));

    public SynthesizeCommand(CliConsole console)
        : base("synthesize", "Write a program in several turns", console)
    {
        Add(_turns);
        foreach (Option option in new Option[] { _file, _preamble, _dropOldest })
            Add(option);
        _generation.AddTo(this);
        Validators.Add(result =>
        {
            if (result.GetValue(_turns) is { Length: > 0 } && result.GetValue(_file) is not null)
                result.AddError("TURN and --file FILE exclude each other.");
            if (result.GetValue(_turns) is { } turns && turns.Any(string.IsNullOrWhiteSpace))
                result.AddError("A TURN is blank; each must ask for something.");
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups => _generation.Groups;

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using TextGenerator generator = TextGenerator.Load(context.ModelDirectory(ModelLocator.Generator), context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator.Warnings);
        using TextGenerator? draft = _generation.OpenDraft(context);
        GenerationOptions generation = _generation.Read(context, generator, draft);
        var options = new SynthesisOptions
        {
            Preamble = context.Get(_preamble) is { Length: > 0 } text ? text.TrimEnd('\n') + "\n\n" : "",
            Generation = generation,
            Truncation = generation.Truncation ?? SynthesisOptions.Default.Truncation,
            Overflow = context.Get(_dropOldest) ? ContextOverflow.DropOldestTurns : ContextOverflow.Refuse,
        };
        using var program = new ProgramSynthesis(generator, options);
        var view = context.Json ? null : new StreamView(context.Console);
        view?.WriteGiven(options.Preamble);
        await foreach (string turn in TurnsAsync(context, cancellationToken).ConfigureAwait(false))
            await TakeAsync(program, turn, view, cancellationToken).ConfigureAwait(false);
        var result =
            new SynthesizeResult(options.Preamble, [.. program.Turns.Select(turn => new SynthesizeTurn(turn.Prompt, turn.Subprogram))], program.Context);
        context.WriteJson(result, CliJsonContext.Relaxed.SynthesizeResult);
        return ExitCodes.Ok;
    }

    /// <summary>Writes what the turn adds to the program, while it is made.</summary>
    private static async Task TakeAsync(ProgramSynthesis program, string turn, StreamView? view, CancellationToken cancellationToken)
    {
        IAsyncEnumerable<TextPiece> pieces = program.StreamAsync(turn, cancellationToken);       // refuses before anything is written
        try
        {
            view?.WriteGiven(program.CommentOf(turn));
            await foreach (TextPiece piece in pieces.ConfigureAwait(false))
                view?.WriteNew(piece.Text);
            view?.WriteGiven("\n\n");
        }
        finally
        {
            view?.End();
        }
    }

    private async IAsyncEnumerable<string> TurnsAsync(CommandContext context, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (context.Get(_turns) is { Length: > 0 } given)
        {
            foreach (string turn in given)
                yield return turn;
            yield break;
        }
        string? file = context.Get(_file);
        using TextReader? opened = file is null or "-" ? null : new StreamReader(file, Utf8Input.Encoding);
        TextReader lines = opened ?? context.Console.In;
        for (int number = 1; await ReadLineAsync(context.Console, lines, cancellationToken).ConfigureAwait(false) is string line; number++)
        {
            string turn = Utf8Input.Require(line, $"{file ?? "Standard input"}, line {number}");
            if (!string.IsNullOrWhiteSpace(turn))
                yield return turn;
        }
    }

    /// <summary>The next line; who types is asked for it.</summary>
    private static ValueTask<string?> ReadLineAsync(CliConsole console, TextReader lines, CancellationToken cancellationToken)
    {
        if (console is { ErrorIsTerminal: true, InIsTerminal: true } && lines == console.In)
            console.Error.Write("> ");
        return lines.ReadLineAsync(cancellationToken);
    }
}

/// <summary>What stood before the first turn, the turns, and the whole program.</summary>
internal sealed record SynthesizeResult(string Preamble, SynthesizeTurn[] Turns, string Program);

/// <summary>What was asked, and what the model wrote.</summary>
internal sealed record SynthesizeTurn(string Prompt, string Subprogram);
