using System.Diagnostics;

namespace ManagedTransformers.Tokenizers;

/// <summary>A text as tokens: one entry per token in every array. Hugging Face's TokenEncoding. The arrays belong to the caller.</summary>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(EncodingDebugView))]
public sealed class TokenEncoding
{
    internal TokenEncoding()
    {
    }

    /// <summary>Number of tokens.</summary>
    public int Length => Ids.Length;

    /// <summary>Token ids, [tokens].</summary>
    public int[] Ids { get; internal init; } = [];

    /// <summary>Token texts as the vocabulary has them (byte-level tokens in the 256 stand-in characters of GPT-2), [tokens].</summary>
    public string[] Tokens { get; internal init; } = [];

    /// <summary>Where each token stands in its text: half-open spans in Unicode code points, (0, 0) for special tokens, [tokens].</summary>
    public (int Start, int End)[] Offsets { get; internal set; } = [];

    /// <summary>The same spans in UTF-16 units, to cut .NET strings with, [tokens]. The same array as <see cref="Offsets"/> where the text has no surrogate
    /// pairs.</summary>
    public (int Start, int End)[] Utf16Offsets { get; internal set; } = [];

    /// <summary>token_type_ids: which of the two texts, where the model distinguishes them, [tokens].</summary>
    public int[] TypeIds { get; internal set; } = [];

    /// <summary>1 for tokens that the post-processor added, [tokens].</summary>
    public int[] SpecialTokensMask { get; internal set; } = [];

    /// <summary>0 for padding, [tokens].</summary>
    public int[] AttentionMask { get; internal init; } = [];

    /// <summary>Number of the word that a token is part of; null for special tokens, [tokens].</summary>
    public int?[] WordIds { get; internal init; } = [];

    /// <summary>Number of the text (0, or 1 for the pair) that a token comes from; null for special tokens, [tokens].</summary>
    public int?[] SequenceIds { get; internal set; } = [];

    /// <summary>What truncation cut off, in windows of their own. Each is made anew when it is asked for.</summary>
    public IReadOnlyList<TokenEncoding> Overflowing => Windows;

    /// <summary>How many tokens of the (first) text stand before those of this window; 0 where nothing was cut off on the left.</summary>
    public int FirstToken { get; private init; }

    /// <summary>The same.</summary>
    internal WindowList Windows { get; set; } = WindowList.None;

    /// <summary>The texts that the tokens were found in, which their debugger view cuts them out of: of the first text, and of its pair. Null where there
    /// are several (words that were split before).</summary>
    internal (string? First, string? Second) Sources { get; init; }

    private string DebuggerText
    {
        get
        {
            const int AtAGlance = 12;
            return $"{Length} tokens: {string.Join(" ", Tokens.Take(AtAGlance))}{(Length > AtAGlance ? " …" : "")}";
        }
    }

    /// <summary>Tokens that stand for no text: what a post-processor adds, or padding.</summary>
    internal static TokenEncoding OfSpecialTokens(int[] ids, string[] tokens, int typeId, int attention = 1)
    {
        var offsets = new (int, int)[ids.Length];
        return new TokenEncoding
        {
            Ids = ids, Tokens = tokens, Offsets = offsets, Utf16Offsets = offsets,
            TypeIds = Filled(ids.Length, typeId), SpecialTokensMask = Filled(ids.Length, 1), AttentionMask = Filled(ids.Length, attention),
            WordIds = new int?[ids.Length], SequenceIds = new int?[ids.Length],
        };
    }

    /// <summary>The tokens from <paramref name="start"/> to <paramref name="end"/>, without overflow.</summary>
    internal TokenEncoding Slice(int start, int end)
    {
        (int, int)[] offsets = Offsets[start..end];
        return new TokenEncoding
        {
            Ids = Ids[start..end], Tokens = Tokens[start..end],
            Offsets = offsets, Utf16Offsets = ReferenceEquals(Offsets, Utf16Offsets) ? offsets : Utf16Offsets[start..end],
            TypeIds = TypeIds[start..end], SpecialTokensMask = SpecialTokensMask[start..end], AttentionMask = AttentionMask[start..end],
            WordIds = WordIds[start..end], SequenceIds = SequenceIds[start..end], Sources = Sources,
            FirstToken = SequenceIds is [0, ..] ? FirstToken + start : 0,
        };
    }

    /// <summary>This encoding processed, and its windows as well, each when it is asked for.</summary>
    internal TokenEncoding WithWindows(Func<TokenEncoding, TokenEncoding> process)
    {
        WindowList windows = Windows.Select(process);
        TokenEncoding processed = process(this);
        processed.Windows = windows;
        return processed;
    }

    /// <summary>The tokens of both, and every combination of their windows.</summary>
    internal static TokenEncoding Merge(TokenEncoding first, TokenEncoding second)
    {
        TokenEncoding merged = Concat(first, second);
        merged.Windows = WindowList.OfPair(first.Windows, () => first, second);
        return merged;
    }

    /// <summary>All of them, merged one after the other.</summary>
    internal static TokenEncoding Merge(IReadOnlyList<TokenEncoding> encodings)
    {
        if (encodings.Count == 0) return new TokenEncoding();
        if (encodings.Count == 1) return encodings[0];
        TokenEncoding merged = Concat([.. encodings]);
        merged.Windows = encodings[0].Windows;
        for (int i = 1; i < encodings.Count; i++)
        {
            int before = i;
            merged.Windows = WindowList.OfPair(merged.Windows, () => Concat([.. encodings.Take(before)]), encodings[i]);
        }
        return merged;
    }

    /// <summary>The tokens of all, one after the other, without overflow.</summary>
    internal static TokenEncoding Concat(params ReadOnlySpan<TokenEncoding> parts)
    {
        if (parts.Length == 1) return parts[0];
        int length = 0, firstToken = 0;
        bool oneKindOfOffset = true;
        foreach (TokenEncoding part in parts)
        {
            length += part.Length;
            firstToken = Math.Max(firstToken, part.FirstToken);
            oneKindOfOffset &= ReferenceEquals(part.Offsets, part.Utf16Offsets);
        }
        var offsets = new (int, int)[length];
        var all = new TokenEncoding
        {
            Ids = new int[length], Tokens = new string[length], Offsets = offsets, Utf16Offsets = oneKindOfOffset ? offsets : new (int, int)[length],
            TypeIds = new int[length], SpecialTokensMask = new int[length], AttentionMask = new int[length],
            WordIds = new int?[length], SequenceIds = new int?[length],
            Sources = (OneOf(parts, part => part.Sources.First), OneOf(parts, part => part.Sources.Second)),
            FirstToken = firstToken,
        };
        int at = 0;
        foreach (TokenEncoding part in parts)
        {
            part.CopyTo(all, at);
            at += part.Length;
        }
        return all;
    }

    private static string? OneOf(ReadOnlySpan<TokenEncoding> parts, Func<TokenEncoding, string?> source)
    {
        string? one = null;
        foreach (TokenEncoding part in parts)
        {
            if (source(part) is not string text)
                continue;
            if (one is not null && !ReferenceEquals(one, text))
                return null;
            one = text;
        }
        return one;
    }

    private void CopyTo(TokenEncoding target, int at)
    {
        Ids.CopyTo(target.Ids, at);
        Tokens.CopyTo(target.Tokens, at);
        Offsets.CopyTo(target.Offsets, at);
        Utf16Offsets.CopyTo(target.Utf16Offsets, at);
        TypeIds.CopyTo(target.TypeIds, at);
        SpecialTokensMask.CopyTo(target.SpecialTokensMask, at);
        AttentionMask.CopyTo(target.AttentionMask, at);
        WordIds.CopyTo(target.WordIds, at);
        SequenceIds.CopyTo(target.SequenceIds, at);
    }

    internal static int[] Filled(int length, int value)
    {
        var array = new int[length];
        if (value != 0) Array.Fill(array, value);
        return array;
    }
}

/// <summary>An encoding as a debugger opens it: token by token, all arrays side by side.</summary>
internal sealed class EncodingDebugView(TokenEncoding encoding)
{
    private const int MostTokens = 10_000;

    public TokenEncoding[] Overflowing => [.. encoding.Overflowing];

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public EncodedToken[] Tokens => [.. Enumerable.Range(0, Math.Min(encoding.Length, MostTokens)).Select(i => new EncodedToken(encoding, i))];

    /// <summary>One token of an encoding.</summary>
    [DebuggerDisplay("{Describe(),nq}")]
    internal sealed class EncodedToken(TokenEncoding encoding, int index)
    {
        public int Id => At(encoding.Ids);

        /// <summary>As the vocabulary writes it.</summary>
        public string Token => At(encoding.Tokens) ?? "";

        /// <summary>The part of the text that it stands for; null for special tokens, and for words that were split before.</summary>
        public string? Text
        {
            get
            {
                string? source = SequenceId switch { 0 => encoding.Sources.First, 1 => encoding.Sources.Second, _ => null };
                (int start, int end) = Utf16Offsets;
                return source is not null && start >= 0 && start <= end && end <= source.Length ? source[start..end] : null;
            }
        }

        public (int Start, int End) Offsets => At(encoding.Offsets);

        public (int Start, int End) Utf16Offsets => At(encoding.Utf16Offsets);

        public int TypeId => At(encoding.TypeIds);
        public int? WordId => At(encoding.WordIds);
        public int? SequenceId => At(encoding.SequenceIds);
        public int AttentionMask => At(encoding.AttentionMask);
        public int SpecialTokensMask => At(encoding.SpecialTokensMask);

        // The arrays are the caller's: they may have been written to.
        private T? At<T>(T[] array) => index < array.Length ? array[index] : default;

        private string Describe()
        {
            string span = $"{(Text is string text ? $" {Vocabulary.Show(text)}" : "")} [{Offsets.Start}, {Offsets.End})";
            return $"{index}: {Id} {Token}{(AttentionMask == 0 ? " padding" : SpecialTokensMask != 0 ? " special" : span)}";
        }
    }
}
