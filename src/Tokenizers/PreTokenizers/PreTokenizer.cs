namespace ManagedTransformers.Tokenizers;


/// <summary>Splits a text into the words that the model then splits into tokens.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Gives the words of the part from <paramref name="start"/> to <paramref name="end"/> to <paramref name="words"/>, in order, none of them
    /// empty.</summary>
    public abstract void Split(in AlignedText text, int start, int end, IWordConsumer words);

    /// <summary>The same for texts that go on in the middle of another: nothing is put before them.</summary>
    public virtual PreTokenizer WithNothingBefore() => this;

    /// <summary>Does it split by where a part stands in the text as given?</summary>
    public virtual bool NeedsOffsets => false;
}

/// <summary>Takes words one by one.</summary>
internal interface IWordConsumer
{
    void Add(in AlignedText text, int start, int end);
}

/// <summary>Several, each splitting the words of the one before.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> preTokenizers) : PreTokenizer
{
    public IReadOnlyList<PreTokenizer> PreTokenizers { get; } = preTokenizers;

    public override bool NeedsOffsets => PreTokenizers.Any(one => one.NeedsOffsets);

    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        for (int i = PreTokenizers.Count - 1; i >= 0; i--) words = new Stage(PreTokenizers[i], words);
        words.Add(text, start, end);
    }

    public override PreTokenizer WithNothingBefore() => new SequencePreTokenizer([.. PreTokenizers.Select(one => one.WithNothingBefore())]);

    private sealed class Stage(PreTokenizer preTokenizer, IWordConsumer next) : IWordConsumer
    {
        public void Add(in AlignedText text, int start, int end) => preTokenizer.Split(text, start, end, next);
    }
}

/// <summary>Splits at white space, which is left out, and around every punctuation mark.</summary>
internal sealed class BertPreTokenizer : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        int word = start;
        for (int i = start; i < end;)
        {
            int codePoint = CodePoints.At(text.Value, i, out int length);
            if (CodePoints.Is(codePoint, CodePointClass.Space | CodePointClass.Punctuation))
            {
                if (word < i) words.Add(text, word, i);
                if (!CodePoints.Is(codePoint, CodePointClass.Space)) words.Add(text, i, i + length);
                word = i + length;
            }
            i += length;
        }
        if (word < end) words.Add(text, word, end);
    }
}

/// <summary>Sets digits apart: each of them, or runs of them.</summary>
internal sealed class DigitsPreTokenizer(bool individualDigits) : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        int word = start;
        bool inDigits = false;
        for (int i = start; i < end;)
        {
            bool digit = CodePoints.Is(CodePoints.At(text.Value, i, out int length), CodePointClass.Numeric);
            if (word < i && (digit != inDigits || (digit && individualDigits)))
            {
                words.Add(text, word, i);
                word = i;
            }
            inDigits = digit;
            i += length;
        }
        if (word < end) words.Add(text, word, end);
    }
}

/// <summary>Splits where the script changes; a space joins any. What stands before the first character that has a script is left out.</summary>
/// <remarks>UnicodeScripts of the library: the scripts that SentencePiece keeps apart while it trains.</remarks>
internal sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        int word = end;
        byte last = ScriptData.Any;
        for (int i = start; i < end;)
        {
            byte script = ScriptData.ScriptOf(CodePoints.At(text.Value, i, out int length));
            if (script != ScriptData.Any && script != last)
            {
                if (word < i) words.Add(text, word, i);
                (word, last) = (i, script);
            }
            i += length;
        }
        if (word < end) words.Add(text, word, end);
    }
}

/// <summary>Splits as GPT-2 does. The bytes of a word become characters in <see cref="Bpe"/>, which knows that its words come from here.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    public bool AddPrefixSpace { get; } = addPrefixSpace;
    public bool UseRegex { get; } = useRegex;

    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        if (!AddPrefixSpace || text.Value[start] == ' ')
        {
            SplitAsItIs(text, start, end, words);
            return;
        }
        AlignedText spaced = text.WithSpaceBefore(start, end);
        SplitAsItIs(spaced, 0, spaced.Value.Length, words);
    }

    public override PreTokenizer WithNothingBefore() => new ByteLevelPreTokenizer(addPrefixSpace: false, UseRegex);

    private void SplitAsItIs(in AlignedText text, int start, int end, IWordConsumer words)
    {
        if (!UseRegex)
        {
            words.Add(text, start, end);
            return;
        }
        ReadOnlySpan<char> part = text.Value[..end];
        while (start < end)
        {
            int next = Gpt2Pattern.NextWord(part, start);
            words.Add(text, start, next);
            start = next;
        }
    }
}

/// <summary>Writes a word in the characters of <see cref="ByteAlphabet"/>, for pre-tokenizers behind a ByteLevel, which split these.</summary>
internal sealed class ByteCharactersPreTokenizer : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        int bytes = System.Text.Encoding.UTF8.GetByteCount(text.Value[start..end]);
        var (characters, starts, ends) = (new char[bytes], new int[bytes], new int[bytes]);
        Span<byte> utf8 = stackalloc byte[4];
        int next = 0;
        for (int i = start, length; i < end; i += length)
        {
            CodePoints.At(text.Value, i, out length);
            foreach (byte one in utf8[..System.Text.Encoding.UTF8.GetBytes(text.Value.Slice(i, length), utf8)])
                (characters[next], starts[next], ends[next++]) = (ByteAlphabet.CharacterOf(one), text.Start(i), text.End(i + length));
        }
        words.Add(new AlignedText(characters, starts, ends), 0, bytes);
    }
}

/// <summary>Cuts a text into words of one length in characters; the last may be shorter.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    public override void Split(in AlignedText text, int start, int end, IWordConsumer words)
    {
        for (int word = start, next; word < end; word = next)
        {
            next = word;
            for (int i = 0; i < length && next < end; i++) next += char.IsHighSurrogate(text.Value[next]) ? 2 : 1;
            words.Add(text, word, next);
        }
    }
}

/// <summary>The pattern of GPT-2, by hand: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
internal static class Gpt2Pattern
{

    /// <summary>Where the word that begins at <paramref name="start"/> ends. Every text is all words: nothing stands between two matches.</summary>
    public static int NextWord(ReadOnlySpan<char> text, int start)
    {
        if (text[start] == '\'' && Contraction(text[(start + 1)..]) is int length and > 0) return start + 1 + length;

        // " ?": a space belongs to what follows it, unless that is more white space.
        int body = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        CodePointClass kind = CodePoints.WordClassOf(CodePoints.At(text, body, out int first));
        if (kind != CodePointClass.Space) return CodePoints.EndOfRun(text, body + first, kind);

        // "\s+(?!\S)": white space up to the end, or all but its last character where something follows.
        int end = CodePoints.EndOfRun(text, start + 1, CodePointClass.Space);
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static int Contraction(ReadOnlySpan<char> after)
    {
        if (after.IsEmpty) return 0;
        if (after[0] is 's' or 't' or 'm' or 'd') return 1;
        return after is ['r', 'e', ..] or ['v', 'e', ..] or ['l', 'l', ..] ? 2 : 0;
    }
}
