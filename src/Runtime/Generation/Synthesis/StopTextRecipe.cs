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
/// <param name="Text">The text.</param>
internal sealed record StopText(string Text)
{
    /// <summary>Whether it counts only at the beginning of a line.</summary>
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
