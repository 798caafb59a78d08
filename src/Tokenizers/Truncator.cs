namespace ManagedTransformers.Tokenizers;

/// <summary>Cuts encodings before the special tokens are added; truncate_encodings of the library.</summary>
internal static class Truncator
{
    /// <summary>Cuts a text, or a pair, so that with its special tokens it is no longer than asked. The library checks the stride with the special
    /// tokens of a single text.</summary>
    /// <exception cref="TokenizerException">That is impossible as asked.</exception>
    public static (Encoding First, Encoding? Second) Truncate(
        Encoding first, Encoding? second, Truncation options, int specialTokens, int specialTokensOfOne)
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

    private static Encoding CutBy(Encoding encoding, int excess, Truncation options, string which)
    {
        if (encoding.Length > excess) return Cut(encoding, encoding.Length - excess, options);
        throw new TokenizerException(
            $"Truncation error: Sequence to truncate too short to respect the provided max_length. {excess} tokens must go (MaxLength {options.MaxLength}), "
            + $"and the {which} text, the only one that may be cut ({options.Strategy}), has {encoding.Length}. Use LongestFirst, or a larger MaxLength.");
    }

    // Windows of `keep` tokens, each sharing `stride` with the one before; the first is what stays.
    private static Encoding Cut(Encoding encoding, int keep, Truncation options)
    {
        int length = encoding.Length;
        if (keep >= length) return encoding;
        if (keep == 0) return new Encoding { Windows = new WindowList(1, _ => encoding.Slice(0, length)) };
        if (options.Stride >= keep)
            throw new TokenizerException(
                $"A stride of {options.Stride} needs windows of more than {options.Stride} tokens; truncation to {options.MaxLength} (MaxLength) leaves " +
                $"{keep} for this text. Use a smaller stride or a larger MaxLength.");

        int step = keep - options.Stride;
        Encoding kept = Window(0);
        kept.Windows = new WindowList((length - keep + step - 1) / step, i => Window((int)i + 1));
        return kept;

        Encoding Window(int number)
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
    public static Encoding[] Pad(Encoding[] encodings, Padding options, int padId, string padToken)
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

    private static Encoding Pad(Encoding encoding, int length, Padding options, int padId, string padToken) => encoding.WithWindows(window =>
    {
        int missing = length - window.Length;
        if (missing <= 0) return window;
        var tokens = new string[missing];
        Array.Fill(tokens, padToken);
        Encoding filling = Encoding.OfSpecialTokens(Encoding.Filled(missing, padId), tokens, options.PadTypeId, attention: 0);
        return options.Direction == TextSide.Left ? Encoding.Concat(filling, window) : Encoding.Concat(window, filling);
    });
}
