using System.Collections;

namespace ManagedTransformers.Tokenizers;


/// <summary>Cuts encodings before the special tokens are added; truncate_encodings of the library.</summary>
internal static class Truncator
{
    /// <summary>Cuts a text, or a pair, so that with its special tokens it is no longer than asked.</summary>
    /// <exception cref="TokenizerException">That is impossible as asked.</exception>
    public static (TokenEncoding First, TokenEncoding? Second) Truncate(
        TokenEncoding first, TokenEncoding? second, Truncation options, int specialTokens, int specialTokensOfOne)
    {
        (int keepFirst, int keepSecond) = Kept(first.Length, second?.Length, options, specialTokens, specialTokensOfOne);
        return (Cut(first, keepFirst, options), second is null ? null : Cut(second, keepSecond, options));
    }

    /// <summary>How many tokens are left of texts of these lengths; <paramref name="second"/> is null where there is no pair. The library checks the stride
    /// with the special tokens of a single text.</summary>
    /// <exception cref="TokenizerException">That is impossible as asked.</exception>
    public static (int First, int Second) Kept(int first, int? second, Truncation options, int specialTokens, int specialTokensOfOne)
    {
        int room = options.MaxLength - specialTokens;
        int roomOfOne = options.MaxLength - specialTokensOfOne;
        if (room < 0 || options.Stride < 0 || (roomOfOne >= 0 && roomOfOne < options.Stride))
            throw new TokenizerException(
                $"Truncation to {options.MaxLength} tokens (MaxLength) with a stride of {options.Stride}: " +
                $"{specialTokens} special tokens are added, which leaves room for {room}. "
                + "Ask for a MaxLength of at least the special tokens plus the stride and a stride of 0 or more, or turn AddSpecialTokens off.");
        int length = first + (second ?? 0);
        if (room == 0) return (0, 0);
        if (length <= room) return (first, second ?? 0);

        (int keepFirst, int keepSecond) = KeptOf(first, second, room, options);
        RequireStride(keepFirst, first, options);
        RequireStride(keepSecond, second ?? 0, options);
        return (keepFirst, keepSecond);
    }

    private static (int First, int Second) KeptOf(int first, int? second, int room, Truncation options)
    {
        int excess = first + (second ?? 0) - room;
        return options.Strategy switch
        {
            TruncationStrategy.LongestFirst => second is int other ? LongestFirst(first, other, room) : (room, 0),
            TruncationStrategy.OnlyFirst => (LessBy(excess, first, options, "first"), second ?? 0),
            _ when second is int other => (first, LessBy(excess, other, options, "second")),
            _ => throw new TokenizerException("Truncation error: Second sequence not provided. " +
                "The strategy is OnlySecond, the text has no pair: pass one, or use LongestFirst or OnlyFirst."),
        };
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

    private static int LessBy(int excess, int length, Truncation options, string which)
    {
        if (length > excess) return length - excess;
        throw new TokenizerException(
            $"Truncation error: Sequence to truncate too short to respect the provided max_length. {excess} tokens must go (MaxLength {options.MaxLength}), "
            + $"and the {which} text, the only one that may be cut ({options.Strategy}), has {length}. Use LongestFirst, or a larger MaxLength.");
    }

    private static void RequireStride(int keep, int length, Truncation options)
    {
        if (keep > 0 && keep < length && options.Stride >= keep)
            throw new TokenizerException(
                $"A stride of {options.Stride} needs windows of more than {options.Stride} tokens; truncation to {options.MaxLength} (MaxLength) leaves " +
                $"{keep} for this text. Use a smaller stride or a larger MaxLength.");
    }

    // Windows of `keep` tokens, each sharing `stride` with the one before; the first is what stays.
    private static TokenEncoding Cut(TokenEncoding encoding, int keep, Truncation options)
    {
        int length = encoding.Length;
        if (keep >= length) return encoding;
        if (keep == 0) return new TokenEncoding { Windows = new WindowList(1, _ => encoding.Slice(0, length)) };

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
        int length = LengthOf(encodings.Max(e => e.Length), options);
        return [.. encodings.Select(e => Pad(e, length, options, padId, padToken))];
    }

    /// <summary>The length that encodings are filled up to, of which the longest is given.</summary>
    /// <exception cref="TokenizerException">It is impossible, or too much.</exception>
    public static int LengthOf(int longest, Padding options)
    {
        if (options.Length < 0 || options.MultipleOf < 0)
            throw new TokenizerException($"Padding to length {options.Length} and a multiple of {options.MultipleOf}: both must be 0 or more.");
        long length = options.Length ?? longest;
        if (options.MultipleOf is int multiple and > 0 && length % multiple > 0) length += multiple - (length % multiple);
        if (length > Math.Max(longest, LargestLength))
            throw new TokenizerException($"Padding to {length} tokens (Length {options.Length}, MultipleOf {options.MultipleOf}); " +
                $"at most {LargestLength} are possible. No model reads so many.");
        return (int)length;
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
    /// <param name="mine">The windows of the first.</param>
    /// <param name="first">The first, made when it is asked for.</param>
    /// <param name="second">The second, with its windows.</param>
    public static WindowList OfPair(WindowList mine, Func<TokenEncoding> first, TokenEncoding second)
    {
        WindowList others = second.Windows;
        if (mine._count == 0 && others._count == 0) return None;
        long each = Counted((Int128)others._count + 1);        // a window of the first text stands with what is left of the second, and with each window of it
        long ofFirst = Counted((Int128)mine._count * each);
        return new WindowList(Counted((Int128)ofFirst + others._count), i =>
        {
            if (i >= ofFirst) return TokenEncoding.Concat(first(), others._window(i - ofFirst));
            return TokenEncoding.Concat(mine._window(i / each), i % each == 0 ? second : others._window((i % each) - 1));
        });
    }

    // A template that repeats a text has more windows than any number counts; those at the front can be asked for all the same.
    private static long Counted(Int128 count) => (long)Int128.Min(count, long.MaxValue);

    public IEnumerator<TokenEncoding> GetEnumerator()
    {
        for (long i = 0; i < _count; i++) yield return _window(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
