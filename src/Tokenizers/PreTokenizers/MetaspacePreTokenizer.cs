namespace ManagedTransformers.Tokenizers;

/// <summary>Before which parts of a text Metaspace puts its mark.</summary>
internal enum PrependScheme
{
    /// <summary>None.</summary>
    Never,

    /// <summary>The part at the very beginning of the text.</summary>
    First,

    /// <summary>All.</summary>
    Always,
}

/// <summary>Makes a visible mark of every space, puts one before the text where it has none, and splits before each mark; as SentencePiece does.</summary>
internal sealed class MetaspacePreTokenizer(char mark, PrependScheme scheme, bool split) : PreTokenizer
{
    public override PreTokenizer WithNothingBefore() => new MetaspacePreTokenizer(mark, PrependScheme.Never, split);

    public override bool NeedsOffsets => scheme == PrependScheme.First;

    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        ReadOnlySpan<char> part = text.Value[start..end];
        bool prepend = part[0] != ' ' && part[0] != mark
            && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && text.Start(start) == 0));
        int inserted = prepend ? 1 : 0;
        Span<char> marked = new char[part.Length + inserted];
        marked[0] = mark;
        part.Replace(marked[inserted..], ' ', mark);
        AlignedText rewritten = text.Rewritten(marked, start, inserted);
        if (!split)
        {
            words.Add(rewritten, 0, marked.Length);
            return;
        }
        for (int word = 0; word < marked.Length;)
        {
            int next = marked[(word + 1)..].IndexOf(mark);
            int stop = next < 0 ? marked.Length : word + 1 + next;
            words.Add(rewritten, word, stop);
            word = stop;
        }
    }
}
