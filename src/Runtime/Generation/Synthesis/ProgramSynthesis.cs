using System.Runtime.CompilerServices;
using System.Text;

namespace ManagedTransformers;


/// <summary>Multi-turn program synthesis: every turn is written as a comment, the model continues with a subprogram, and both become context of the next turn.
/// Not thread-safe; many programs may share a generator. Turns that are taken one by one read only what is new.</summary>
/// <remarks>Nijkamp et al. 2022, arXiv:2203.13474, section 4; the form of the text is that of the benchmark's mtpb_sample.py.</remarks>
/// <example><code>
/// using var generator = TextGenerator.Load("models/demo-codegen");
/// using var program = new ProgramSynthesis(generator);
/// program.Next("set x to 7");
/// program.Next("multiply x by 3");
/// Console.Write(program.Context);
/// </code></example>
public sealed class ProgramSynthesis : IDisposable
{
    private const int UsualNewTokens = 256;     // max_gen_length of the benchmark
    private static readonly EncodeOptions Whole = new() { Truncation = Tokenizers.Truncation.None, Padding = Padding.None };

    private readonly TextGenerator _generator;
    private readonly SynthesisOptions _options;
    private readonly List<SynthesisTurn> _turns = [];
    private GenerationSession? _session;        // once a turn is taken in this program alone

    /// <summary>Begins a program.</summary>
    /// <param name="generator">Writes the subprograms; it stays the caller's.</param>
    /// <param name="options">The benchmark's settings without its preamble where null.</param>
    /// <exception cref="ModelInputException">The options limit the length with the prompt included.</exception>
    public ProgramSynthesis(TextGenerator generator, SynthesisOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(generator);
        (_generator, _options) = (generator, options ?? SynthesisOptions.Default);
        if (_options.Generation.MaxLength is int length)
            throw new ModelInputException($"MaxLength is {length}; it counts the context, which grows with every turn. " +
                "Give MaxNewTokens, which counts a turn's own tokens.");
    }

    /// <summary>The turns so far.</summary>
    public IReadOnlyList<SynthesisTurn> Turns => _turns;

    /// <summary>The whole program so far: preamble, comments, subprograms.</summary>
    public string Context => From(turn: 0);

    /// <summary>A turn as it stands in the program: every line a comment.</summary>
    /// <exception cref="ArgumentException">The prompt is blank.</exception>
    public string CommentOf(string prompt)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(prompt);
        return string.Concat(prompt.ReplaceLineEndings("\n").Trim('\n').Split('\n').Select(line => $"{_options.CommentPrefix}{line}\n"));
    }

    /// <summary>Takes a turn.</summary>
    /// <param name="prompt">What the next part of the program shall do; each of its lines becomes a comment.</param>
    /// <param name="cancellationToken">Ends the work within one token; the program then stays as it was.</param>
    /// <exception cref="ArgumentException">The prompt is blank.</exception>
    /// <exception cref="ModelInputException">The context no longer fits into n_positions, see <see cref="SynthesisOptions.Overflow"/>.</exception>
    public SynthesisTurn Next(string prompt, CancellationToken cancellationToken = default) => Next([this], [prompt], progress: null, cancellationToken)[0];

    /// <summary>Takes a turn in each of several programs at once, in batches; they share the generator and the generation options of the first.</summary>
    /// <remarks>A batch reads each context as a whole: only programs that go alone keep what they have read.</remarks>
    /// <param name="programs">The programs.</param>
    /// <param name="prompts">What each of them shall do next.</param>
    /// <param name="progress">Told after every token how many turns are done.</param>
    /// <param name="cancellationToken">Ends the work within one token; the programs then stay as they were.</param>
    /// <exception cref="ArgumentException">A prompt is blank, or there are not as many as programs.</exception>
    /// <exception cref="ModelInputException">A context no longer fits into n_positions, see <see cref="SynthesisOptions.Overflow"/>.</exception>
    public static IReadOnlyList<SynthesisTurn> Next(
        IReadOnlyList<ProgramSynthesis> programs, IReadOnlyList<string> prompts, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(programs);
        ArgumentNullException.ThrowIfNull(prompts);
        if (programs.Count != prompts.Count)
            throw new ArgumentException($"There are {programs.Count} programs and {prompts.Count} prompts; each program needs one.", nameof(prompts));
        if (programs.Count == 0)
            return [];
        Reading[] readings = [.. programs.Select((program, i) => program.Prepare(prompts[i]))];
        bool alike = programs.All(program => program._options.Truncation == programs[0]._options.Truncation);
        GenerationOptions options = programs[0].OptionsFor(readings.Min(reading => reading.MaxNewTokens), endsAtCut: alike);
        IReadOnlyList<string> texts = programs.Count == 1
            ? [programs[0].Session.Generate(readings[0].Text, options, cancellationToken).Sequences[0].Text]
            : programs[0]._generator.Generate([.. readings.Select(reading => reading.Text)], options, progress, cancellationToken);
        progress?.Report(programs.Count);
        return [.. programs.Select((program, i) => program.Add(prompts[i], readings[i], program._options.Truncation.Apply(texts[i], readings[i].Text)))];
    }

    /// <summary>Takes a turn and gives its subprogram piece by piece. The turn counts once the last piece was taken: who stops before that leaves the
    /// program as it was.</summary>
    /// <inheritdoc cref="Next(string, CancellationToken)"/>
    public IAsyncEnumerable<TextPiece> StreamAsync(string prompt, CancellationToken cancellationToken = default) =>
        StreamAsync(prompt, Prepare(prompt), cancellationToken);

    /// <summary>Gives the memory of what was read back; the turns stay readable.</summary>
    public void Dispose()
    {
        _session?.Dispose();
        _session = null;
    }

    private GenerationSession Session => _session ??= _generator.CreateSession(
        _options.Generation.KeyValueType is WeightType type ? new SessionOptions { KeyValueType = type } : null);

    private GenerationOptions OptionsFor(int maxNewTokens, bool endsAtCut)
    {
        GenerationOptions options = _options.Generation with { MaxNewTokens = maxNewTokens };
        // Another turn, other random numbers: with the same ones turns would begin alike.
        if (options.Seed is long seed)
            options = options with { Seed = seed ^ ((long)_turns.Count << 32) };
        return options with { Truncation = endsAtCut ? _options.Truncation : TruncationRecipe.None };
    }

    private async IAsyncEnumerable<TextPiece> StreamAsync(string prompt, Reading reading, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var subprogram = new StringBuilder();
        GenerationOptions options = OptionsFor(reading.MaxNewTokens, endsAtCut: true);
        await foreach (TextPiece piece in Session.StreamAsync(reading.Text, options, cancellationToken).ConfigureAwait(false))
        {
            subprogram.Append(piece.Text);
            yield return piece;
        }
        Add(prompt, reading, subprogram.ToString());
    }

    private SynthesisTurn Add(string prompt, Reading reading, string subprogram)
    {
        _turns.Add(new SynthesisTurn(prompt, reading.Comment, subprogram));
        return _turns[^1];
    }

    private string From(int turn) => _options.Preamble + string.Concat(_turns.Skip(turn).Select(t => t.Text));

    /// <summary>What the model is to read for a turn, and how much it may write.</summary>
    private Reading Prepare(string prompt)
    {
        string comment = CommentOf(prompt);
        int most = _generator.Model.Config.MaxTokens;
        int wanted = _options.Generation.MaxNewTokens ?? UsualNewTokens;
        int dropped = 0;
        string text = From(dropped) + comment;
        int tokens = Count(text);
        while (_options.Overflow == ContextOverflow.DropOldestTurns && tokens + wanted > most && dropped < _turns.Count)
        {
            text = From(++dropped) + comment;
            tokens = Count(text);
        }
        int least = _options.Generation.MaxNewTokens ?? 1;
        if (tokens > most - least)
        {
            throw new ModelInputException($"Turn {_turns.Count + 1}: the model would read {tokens} " +
                $"tokens{(dropped > 0 ? $", {dropped} turns left out," : "")} and write " +
                $"{(least == 1 ? "at least 1" : $"up to {least}")}; {most} fit ({_generator.Model.Config.Positions}). " +
                "Begin a new program, lower MaxNewTokens, or let the oldest turns go (ContextOverflow.DropOldestTurns).");
        }
        return new Reading(text, comment, Math.Min(wanted, most - tokens));
    }

    private int Count(string text) => _generator.Tokenizer.CountTokens(text, Whole);

    private sealed record Reading(string Text, string Comment, int MaxNewTokens);
}

/// <summary>How a program is written turn by turn.</summary>
public sealed record SynthesisOptions
{
    /// <summary>What the multi-turn programming benchmark (MTPB) puts before the first turn.</summary>
    /// <remarks>salesforce/CodeGen, codegen1/benchmark/mtpb_sample.py.</remarks>
    public const string BenchmarkPreamble = "# Import libraries.\n\nimport numpy as np\n\n";

    /// <summary>The benchmark's settings, but for the preamble.</summary>
    public static SynthesisOptions Default => new();

    /// <summary>Text before the first turn, such as imports; it ends with an empty line where it is not empty.</summary>
    public string Preamble { get; init; } = "";

    /// <summary>What makes a comment of a line of a turn.</summary>
    public string CommentPrefix { get; init; } = "# ";

    /// <summary>How a turn's subprogram ends.</summary>
    public TruncationRecipe Truncation { get; init; } = TruncationRecipe.MultiTurn;

    /// <summary>How its text is generated. Where MaxNewTokens is null: 256 (the benchmark's max_gen_length), or as many as still fit.</summary>
    public GenerationOptions Generation { get; init; } = GenerationOptions.Default;

    /// <summary>What happens where the context no longer fits into the model.</summary>
    public ContextOverflow Overflow { get; init; }
}

/// <summary>What happens where all turns together no longer fit into n_positions.</summary>
public enum ContextOverflow
{
    /// <summary>The turn is refused.</summary>
    Refuse,

    /// <summary>The model reads the preamble and as many of the latest turns as leave room for the new tokens; the program keeps all of them.</summary>
    DropOldestTurns,
}

/// <summary>One turn: what was asked, and what the model wrote.</summary>
/// <param name="Prompt">The turn in natural language.</param>
/// <param name="Comment">The same as a comment, its line break included.</param>
/// <param name="Subprogram">What the model wrote, cut.</param>
public sealed record SynthesisTurn(string Prompt, string Comment, string Subprogram)
{
    /// <summary>What the turn adds to the program: comment, subprogram, an empty line.</summary>
    public string Text => $"{Comment}{Subprogram}\n\n";
}
