namespace ManagedTransformers;

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
