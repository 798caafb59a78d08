using System.Collections;

namespace ManagedTransformers.Tokenizers;


/// <summary>Cuts encodings before the special tokens are added; truncate_encodings of the library.</summary>
internal static class Truncator
{
    /// <summary>Cuts a text, or a pair, so that with its special tokens it is no longer than asked. The library checks the stride with the special
    /// tokens of a single text.</summary>
    /// <exception cref="TokenizerException">That is impossible as asked.</exception>
    public static (TokenEncoding First, TokenEncoding? Second) Truncate(
        TokenEncoding first, TokenEncoding? second, Truncation options, int specialTokens, int specialTokensOfOne)
    {
        int room = options.MaxLength - specialTokens;
        int roomOfOne = options.MaxLength - specialTokensOfOne;
        if (room < 0 || options.Stride < 0 || (roomOfOne >= 0 && roomOfOne < options.Stride))
            throw new TokenizerException(
                $"Truncation to {options.MaxLength} tokens (MaxLength) with a stride of {options.Stride}: " +
                $"{specialTokens} special tokens are added, which leaves room for {room}. "
                + "Ask for a MaxLength of at least the special tokens plus the stride and a stride of 0 or more, or turn AddSpecialTokens off.");
        int length = first.Length + (second?.Length ?? 0);
        if (room == 0) return (Cut(first, 0, options), second is null ? null : Cut(second, 0, options));
        if (length <= room) return (first, second);

        int excess = length - room;
        switch (options.Strategy)
        {
            case TruncationStrategy.LongestFirst when second is null:
                return (Cut(first, room, options), null);
            case TruncationStrategy.LongestFirst:
                (int keepFirst, int keepSecond) = LongestFirst(first.Length, second.Length, room);
                return (Cut(first, keepFirst, options), Cut(second, keepSecond, options));
            case TruncationStrategy.OnlyFirst:
                return (CutBy(first, excess, options, "first"), second);
            case TruncationStrategy.OnlySecond when second is null:
                throw new TokenizerException("Truncation error: Second sequence not provided. " +
                    "The strategy is OnlySecond, the text has no pair: pass one, or use LongestFirst or OnlyFirst.");
            default:
                return (first, CutBy(second!, excess, options, "second"));
        }
    }

    // The longer one loses until both are equal; then both, the second (of the two as given: the shorter first) keeping the odd token.
    private static (int First, int Second) LongestFirst(int first, int second, int room)
    {
        bool swapped = first > second;
        (int shorter, int longer) = swapped ? (second, first) : (first, second);
        longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room)
        {
            shorter = room / 2;
            longer = shorter + (room % 2);
        }
        return swapped ? (longer, shorter) : (shorter, longer);
    }

    private static TokenEncoding CutBy(TokenEncoding encoding, int excess, Truncation options, string which)
    {
        if (encoding.Length > excess) return Cut(encoding, encoding.Length - excess, options);
        throw new TokenizerException(
            $"Truncation error: Sequence to truncate too short to respect the provided max_length. {excess} tokens must go (MaxLength {options.MaxLength}), "
            + $"and the {which} text, the only one that may be cut ({options.Strategy}), has {encoding.Length}. Use LongestFirst, or a larger MaxLength.");
    }

    // Windows of `keep` tokens, each sharing `stride` with the one before; the first is what stays.
    private static TokenEncoding Cut(TokenEncoding encoding, int keep, Truncation options)
    {
        int length = encoding.Length;
        if (keep >= length) return encoding;
        if (keep == 0) return new TokenEncoding { Windows = new WindowList(1, _ => encoding.Slice(0, length)) };
        if (options.Stride >= keep)
            throw new TokenizerException(
                $"A stride of {options.Stride} needs windows of more than {options.Stride} tokens; truncation to {options.MaxLength} (MaxLength) leaves " +
                $"{keep} for this text. Use a smaller stride or a larger MaxLength.");

        int step = keep - options.Stride;
        TokenEncoding kept = Window(0);
        kept.Windows = new WindowList((length - keep + step - 1) / step, i => Window((int)i + 1));
        return kept;

        TokenEncoding Window(int number)
        {
            int done = number * step;
            if (options.Direction == TextSide.Right) return encoding.Slice(done, Math.Min(done + keep, length));
            return encoding.Slice(Math.Max(length - done - keep, 0), length - done);
        }
    }
}

/// <summary>Fills encodings, and their windows, up to one length; pad_encodings of the library.</summary>
internal static class Padder
{
    // A number in tokenizer.json must not decide how much memory is taken.
    private const int LargestLength = 1 << 24;

    /// <summary>Fills up all encodings of a batch.</summary>
    public static TokenEncoding[] Pad(TokenEncoding[] encodings, Padding options, int padId, string padToken)
    {
        if (options.Length < 0 || options.MultipleOf < 0)
            throw new TokenizerException($"Padding to length {options.Length} and a multiple of {options.MultipleOf}: both must be 0 or more.");
        int longest = encodings.Max(e => e.Length);
        long length = options.Length ?? longest;
        if (options.MultipleOf is int multiple and > 0 && length % multiple > 0) length += multiple - (length % multiple);
        if (length > Math.Max(longest, LargestLength))
            throw new TokenizerException($"Padding to {length} tokens (Length {options.Length}, MultipleOf {options.MultipleOf}); " +
                $"at most {LargestLength} are possible. No model reads so many.");
        return [.. encodings.Select(e => Pad(e, (int)length, options, padId, padToken))];
    }

    private static TokenEncoding Pad(TokenEncoding encoding, int length, Padding options, int padId, string padToken) => encoding.WithWindows(window =>
    {
        int missing = length - window.Length;
        if (missing <= 0) return window;
        var tokens = new string[missing];
        Array.Fill(tokens, padToken);
        TokenEncoding filling = TokenEncoding.OfSpecialTokens(TokenEncoding.Filled(missing, padId), tokens, options.PadTypeId, attention: 0);
        return options.Direction == TextSide.Left ? TokenEncoding.Concat(filling, window) : TokenEncoding.Concat(window, filling);
    });
}

/// <summary>Gathers the tokens of a text as they are found.</summary>
internal sealed class TokenCollector : IWordConsumer
{
    private readonly TokenModel _model;
    private readonly PreTokenizer? _preTokenizer;
    private readonly List<int> _ids;
    private readonly List<(int Start, int End)> _offsets;       // UTF-16
    private readonly List<int> _words;
    private readonly List<(int Index, string Text)> _texts = [];    // of added tokens, which are what the text has, white space included
    private int _word;

    public TokenCollector(TokenModel model, PreTokenizer? preTokenizer, int textLength)
    {
        _model = model;
        _preTokenizer = preTokenizer;
        int expected = (textLength / 3) + 4;
        _ids = new List<int>(expected);
        _offsets = new List<(int, int)>(expected);
        _words = new List<int>(expected);
    }

    /// <summary>An added token, found in the text.</summary>
    public void AddToken(int id, AlignedText text, int start, int end)
    {
        _texts.Add((_ids.Count, text.Value[start..end]));
        Add(id, text.Start(start), text.End(end));
        _word++;
    }

    /// <summary>Text between added tokens: it is split into words.</summary>
    public void AddText(AlignedText text, int start, int end)
    {
        if (_preTokenizer is null) Add(text, start, end);
        else _preTokenizer.Split(text, start, end, this);
    }

    /// <summary>A word: it is split into tokens.</summary>
    public void Add(AlignedText text, int start, int end)
    {
        foreach (TokenSpan token in _model.Tokenize(text.Value.AsSpan(start, end - start)))
            Add(token.Id, text.Start(start + token.Start), text.End(start + token.End));
        _word++;
    }

    /// <summary>The tokens of the text as given, the first (0) or second (1) of a pair, as an encoding. <paramref name="word"/> is the word that it is,
    /// where the caller split it; null: words as found.</summary>
    public TokenEncoding ToEncoding(string text, int sequence, int? word)
    {
        int length = _ids.Count;
        var tokens = new string[length];
        var words = new int?[length];
        var sequences = new int?[length];
        for (int i = 0; i < length; i++)
        {
            tokens[i] = _model.Vocabulary.TokenOf(_ids[i]) ?? "";
            words[i] = word ?? _words[i];
            sequences[i] = sequence;
        }
        foreach ((int index, string content) in _texts) tokens[index] = content;
        (int, int)[] utf16 = [.. _offsets];
        return new TokenEncoding
        {
            Ids = [.. _ids],
            Tokens = tokens,
            Offsets = InCodePoints(text, utf16),
            Utf16Offsets = utf16,
            TypeIds = TokenEncoding.Filled(length, sequence),
            SpecialTokensMask = new int[length],
            AttentionMask = TokenEncoding.Filled(length, 1),
            WordIds = words,
            SequenceIds = sequences,
            Sources = word is not null ? default : sequence == 0 ? (text, null) : (null, text),
        };
    }

    private void Add(int id, int start, int end)
    {
        _ids.Add(id);
        _offsets.Add((start, end));
        _words.Add(_word);
    }

    private static (int, int)[] InCodePoints(string text, (int Start, int End)[] utf16)
    {
        if (AlignedText.CodePointIndex(text) is not { } index) return utf16;
        var offsets = new (int, int)[utf16.Length];
        for (int i = 0; i < offsets.Length; i++) offsets[i] = (index[utf16[i].Start], index[utf16[i].End]);
        return offsets;
    }
}

/// <summary>Windows of a text, each made when it is asked for: a long text has many, and they overlap.</summary>
internal sealed class WindowList : IReadOnlyList<TokenEncoding>
{
    public static readonly WindowList None = new(0, _ => new TokenEncoding());

    private readonly long _count;
    private readonly Func<long, TokenEncoding> _window;

    public WindowList(long count, Func<long, TokenEncoding> window) => (_count, _window) = (count, window);

    /// <exception cref="TokenizerException">There are more than an int can count: windows of a text with windows of its pair.</exception>
    public int Count => _count <= int.MaxValue ? (int)_count : throw new TokenizerException(
        $"The two texts have {_count} windows (each of the first with each of the second); at most {int.MaxValue} can be counted. Use a larger MaxLength.");

    public TokenEncoding this[int index] => index >= 0 && index < _count
        ? _window(index)
        : throw new ArgumentOutOfRangeException(nameof(index), $"Window {index} was asked for; there are {_count}.");

    /// <summary>These, each processed when it is asked for.</summary>
    public WindowList Select(Func<TokenEncoding, TokenEncoding> process) => _count == 0 ? this : new WindowList(_count, i => process(_window(i)));

    /// <summary>Every combination of the windows of two texts, in the order of the library's merge_with.</summary>
    public static WindowList OfPair(TokenEncoding first, TokenEncoding second)
    {
        (WindowList mine, WindowList others) = (first.Windows, second.Windows);
        if (mine._count == 0 && others._count == 0) return None;
        long each = others._count + 1;           // a window of the first text stands with what is left of the second, and with each window of it
        long ofFirst = mine._count * each;
        return new WindowList(ofFirst + others._count, i =>
        {
            if (i >= ofFirst) return TokenEncoding.Concat(first, others._window(i - ofFirst));
            return TokenEncoding.Concat(mine._window(i / each), i % each == 0 ? second : others._window((i % each) - 1));
        });
    }

    public IEnumerator<TokenEncoding> GetEnumerator()
    {
        for (long i = 0; i < _count; i++) yield return _window(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
