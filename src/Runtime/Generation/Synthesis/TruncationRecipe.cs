using System.ComponentModel;

namespace ManagedTransformers;

/// <summary>Where a completion ends: the rules with which model cards and benchmarks cut what a model wrote (<see cref="GenerationOptions.Truncation"/>).
/// Immutable.</summary>
/// <example><code>
/// string body = TruncationRecipe.HumanEval.Apply("    return a + b\n\nprint(add(1, 2))");      // "    return a + b"
/// </code></example>
[TypeConverter(typeof(TruncationRecipeConverter))]
public abstract class TruncationRecipe
{
    private static readonly string[] TopLevelStatements = ["\ndef ", "\n#", "\nclass ", "\nif ", "\nprint", "\n\n\n", "\nimport", "\nfrom ", "\n@"];

    private protected TruncationRecipe()
    {
    }

    /// <summary>Nothing is cut.</summary>
    public static TruncationRecipe None { get; } = new StopTextRecipe();

    /// <summary>The body of a function: cut before the next top-level statement, that is before the first of <c>\ndef </c>, <c>\n#</c>, <c>\nclass </c>,
    /// <c>\nif </c>, <c>\nprint</c>, <c>\n\n\n</c>, <c>\nimport</c>, <c>\nfrom </c> and <c>\n@</c>.</summary>
    /// <remarks>Chen et al. 2021, arXiv:2107.03374, 3.1, which names the first five; the others are what evaluation scripts add.</remarks>
    public static TruncationRecipe HumanEval { get; } = new StopTextRecipe([.. TopLevelStatements.Select(text => new StopText(text))]);

    /// <summary>A subprogram, as the multi-turn programming benchmark (MTPB) cuts it: before a line that begins with <c>#</c>, <c>'''</c> or
    /// <c>"""</c>, before <c>&lt;|endoftext|></c> and two empty lines, and before a second top-level <c>print</c> or <c>def</c>.</summary>
    /// <remarks>truncate of salesforce/CodeGen, codegen1/benchmark/mtpb_sample.py, and of its sample.py; equal to truncate_before_pattern with its
    /// patterns.</remarks>
    public static TruncationRecipe MultiTurn { get; } = new StopTextRecipe(
        new StopText("print") { AtLineStart = true, Occurrence = 2 },
        new StopText("def") { AtLineStart = true, Occurrence = 2 },
        new StopText("#") { AtLineStart = true },
        new StopText("'''") { AtLineStart = true },
        new StopText("\"\"\"") { AtLineStart = true },
        new StopText("<|endoftext|>"),
        new StopText("\n\n\n"));

    /// <summary>The end of an indented block: cut after the last line before the first non-blank line that is indented less than the block.</summary>
    /// <remarks>The block is that of the prompt's last line where the completion goes on in it; where that line is empty or ends with a colon, that of the
    /// first non-blank line after it. Text at the left margin has no end. Tabs reach to the next multiple of 8, as in Python.</remarks>
    public static TruncationRecipe Dedent { get; } = new DedentRecipe();

    /// <summary>Cut before <c>&lt;eom></c>, with which models that infill end what they put in the place of a mask.</summary>
    /// <remarks>The README of salesforce/CodeGen2; <see cref="TextGenerator.Infill(string, string, GenerationOptions?, CancellationToken)"/> does it by
    /// itself.</remarks>
    public static TruncationRecipe EndOfMask { get; } = new StopTextRecipe(new StopText("<eom>"));

    /// <summary>The recipes that have a name, as JSON and command lines give it.</summary>
    internal static IReadOnlyDictionary<string, TruncationRecipe> Named { get; } = new Dictionary<string, TruncationRecipe>(StringComparer.OrdinalIgnoreCase)
    {
        ["human-eval"] = HumanEval,
        ["codegen"] = MultiTurn,
        ["dedent"] = Dedent,
        ["end-of-mask"] = EndOfMask,
        ["none"] = None,
    };

    /// <summary>truncate_before_pattern of transformers' CodeGenTokenizer.decode: cut before the second top-level print, the second def, and the first match
    /// of any pattern.</summary>
    /// <param name="patterns">Regular expressions as Python's re reads them with MULTILINE.</param>
    /// <exception cref="Tokenizers.TokenizerException">A pattern is no regular expression.</exception>
    public static TruncationRecipe BeforePatterns(params IReadOnlyList<string> patterns) => new PatternRecipe(patterns);

    /// <summary>Cuts a completion.</summary>
    /// <param name="completion">What the model wrote.</param>
    /// <param name="prompt">What stood before it; only <see cref="Dedent"/> looks at it.</param>
    /// <returns>The beginning of the completion, up to where it ends.</returns>
    /// <exception cref="Tokenizers.TokenizerException">A pattern takes too long.</exception>
    public string Apply(string completion, string prompt = "")
    {
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentNullException.ThrowIfNull(prompt);
        return completion[..Find(prompt, completion, complete: true).Length];
    }

    /// <summary>Whether <see cref="Find"/> looks at the prompt.</summary>
    internal virtual bool LooksAtPrompt => false;

    /// <summary>Where to cut a completion.</summary>
    internal abstract TruncationPoint Find(string prompt, string completion, bool complete);
}

/// <summary>A recipe from its name, for options that are bound from configuration.</summary>
internal sealed class TruncationRecipeConverter : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    /// <exception cref="FormatException">There is no such recipe.</exception>
    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        TruncationRecipe.Named.TryGetValue((string)value, out TruncationRecipe? recipe)
            ? recipe
            : throw new FormatException($"{value} is no recipe; there are {string.Join(", ", TruncationRecipe.Named.Keys)}.");
}

/// <summary>Where a completion is cut, as far as that is known.</summary>
/// <param name="Length">The characters that stay in any case.</param>
/// <param name="IsCertain">Whether the completion ends there, whatever follows.</param>
internal readonly record struct TruncationPoint(int Length, bool IsCertain);

/// <summary>Cuts before the first of some texts.</summary>
internal sealed class StopTextRecipe(params StopText[] stops) : TruncationRecipe
{
    internal override TruncationPoint Find(string prompt, string completion, bool complete)
    {
        int cut = completion.Length, unsure = completion.Length;
        bool found = false;
        foreach (StopText stop in stops)
        {
            int at = stop.Find(completion);
            found |= at >= 0;
            cut = at >= 0 ? Math.Min(cut, at) : cut;
            unsure = complete ? unsure : Math.Min(unsure, stop.UnfinishedAt(completion));
        }
        // A text that is only begun may still turn out to be the first.
        return new TruncationPoint(Math.Min(cut, unsure), complete || (found && cut <= unsure));
    }
}

/// <summary>A text before which a completion is cut.</summary>
internal sealed record StopText(string Text)
{
    public bool AtLineStart { get; init; }

    /// <summary>Which occurrence counts, from 1.</summary>
    public int Occurrence { get; init; } = 1;

    /// <summary>Where the occurrence begins; −1 where there is none.</summary>
    public int Find(string completion)
    {
        int seen = 0;
        for (int at = completion.IndexOf(Text, StringComparison.Ordinal); at >= 0; at = completion.IndexOf(Text, at + 1, StringComparison.Ordinal))
        {
            if (MayBeginAt(completion, at) && ++seen == Occurrence)
                return at;
        }
        return -1;
    }

    /// <summary>Where the end of the completion could be the beginning of the text; the completion's length where it is not.</summary>
    public int UnfinishedAt(string completion)
    {
        int at = Math.Max(0, completion.Length - Text.Length + 1);
        while (at < completion.Length && !(MayBeginAt(completion, at) && Text.AsSpan().StartsWith(completion.AsSpan(at), StringComparison.Ordinal)))
            at++;
        return at;
    }

    private bool MayBeginAt(string completion, int at) => !AtLineStart || at == 0 || completion[at - 1] == '\n';
}

/// <summary>Cuts where an indented block ends.</summary>
internal sealed class DedentRecipe : TruncationRecipe
{
    private const int TabWidth = 8;

    internal override bool LooksAtPrompt => true;

    internal override TruncationPoint Find(string prompt, string completion, bool complete)
    {
        // The first line of the completion is the rest of the prompt's last line.
        string begun = prompt[(prompt.LastIndexOf('\n') + 1)..];
        string text = begun + completion;
        int? block = null;
        int end = begun.Length;                                 // where the last line of the block ends
        for (int start = 0, stop; start <= text.Length; start = stop + 1)
        {
            stop = text.IndexOf('\n', start);
            stop = stop < 0 ? text.Length : stop;
            ReadOnlySpan<char> line = text.AsSpan(start, stop - start);
            if (line.IsWhiteSpace())
                continue;
            int indentation = Indentation(line);
            if (indentation < block)
                return new TruncationPoint(end - begun.Length, IsCertain: true);
            bool opensBlock = start == 0 && !string.IsNullOrWhiteSpace(begun) && OpensBlock(line);
            block ??= opensBlock ? null : indentation;
            end = Math.Max(end, stop);
        }
        // Blank lines belong to the block only if it goes on after them.
        return new TruncationPoint(complete ? completion.Length : end - begun.Length, IsCertain: complete);
    }

    private static int Indentation(ReadOnlySpan<char> line)
    {
        int width = 0;
        foreach (char c in line)
        {
            if (!char.IsWhiteSpace(c))
                break;
            width = c == '\t' ? (width / TabWidth + 1) * TabWidth : width + 1;
        }
        return width;
    }

    /// <summary>Whether a line ends with a colon, but for a comment.</summary>
    private static bool OpensBlock(ReadOnlySpan<char> line)
    {
        int comment = line.IndexOf('#');
        return line.TrimEnd().EndsWith(':') || (comment >= 0 && line[..comment].TrimEnd().EndsWith(':'));
    }
}

/// <summary>truncate_before_pattern. What a pattern may still match is unknown until the text is complete.</summary>
internal sealed class PatternRecipe : TruncationRecipe
{
    private readonly string[] _patterns;

    /// <exception cref="TokenizerException">A pattern is no regular expression.</exception>
    public PatternRecipe(IReadOnlyList<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(patterns);
        _patterns = [.. patterns];
        CompletionTruncation.Truncate("", _patterns);       // compiles them: a wrong one is told here, not after a minute of generation
    }

    internal override TruncationPoint Find(string prompt, string completion, bool complete) =>
        complete ? new TruncationPoint(CompletionTruncation.Truncate(completion, _patterns).Length, IsCertain: true) : default;
}
