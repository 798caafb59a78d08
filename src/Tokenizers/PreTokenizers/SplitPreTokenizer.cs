namespace ManagedTransformers.Tokenizers;

/// <summary>What becomes of the matches that a text is split at; SplitDelimiterBehavior of the library.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a word.</summary>
    Isolated,

    /// <summary>A match ends the word before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the word after it.</summary>
    MergedWithNext,

    /// <summary>Matches side by side are one word.</summary>
    Contiguous,
}

/// <summary>Splits at the matches of a pattern (inverted: at what is between them).</summary>
internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        ReadOnlySpan<char> part = text.Value[start..end];
        var held = new Word(0, 0);      // not given yet: what follows may join it
        bool previous = false;
        int done = 0;
        for (var matches = new Matches(pattern, part); matches.Next(out int from, out int to); done = to)
        {
            if (done < from) Take(text, done, from, match: invert, ref previous, ref held, start, words);
            Take(text, from, to, match: !invert, ref previous, ref held, start, words);
        }
        if (done < part.Length) Take(text, done, part.Length, match: invert, ref previous, ref held, start, words);
        Give(text, held, start, words);
    }

    private void Take(in AlignedText text, int from, int to, bool match, ref bool previous, ref Word held, int origin, IWordConsumer words)
    {
        bool joins = behavior switch
        {
            SplitBehavior.MergedWithPrevious => match && !previous,
            SplitBehavior.MergedWithNext => !match && previous,
            SplitBehavior.Contiguous => match == previous,
            _ => false,
        };
        previous = match;
        if (joins && held.End == from && held.End > held.Start)
        {
            held = held with { End = to };
            return;
        }
        Give(text, held, origin, words);
        held = match && behavior == SplitBehavior.Removed ? new Word(to, to) : new Word(from, to);
    }

    private static void Give(in AlignedText text, Word word, int origin, IWordConsumer words)
    {
        if (word.Start < word.End) words.Add(text, origin + word.Start, origin + word.End);
    }

    private readonly record struct Word(int Start, int End);
}
