namespace ManagedTransformers.Tokenizers;

/// <summary>A normalised text that knows which part of the text as given each of its characters stands for; NormalizedString of the library.</summary>
/// <remarks>All positions are UTF-16 units. Immutable.</remarks>
internal readonly ref struct AlignedText
{
    private readonly int _shift;
    private readonly int _inserted;     // units that were put before the text; they stand for the same as the character after them
    private readonly int[]? _starts;    // null: the text is as given
    private readonly int[]? _ends;

    /// <summary>A text that is the text as given.</summary>
    public AlignedText(ReadOnlySpan<char> value) => Value = value;

    /// <summary>A text whose unit i stands for the units from starts[i] to ends[i] of the text as given.</summary>
    public AlignedText(ReadOnlySpan<char> value, int[] starts, int[] ends)
    {
        Value = value;
        _starts = starts;
        _ends = ends;
    }

    private AlignedText(ReadOnlySpan<char> value, int[]? starts, int[]? ends, int shift, int inserted)
        : this(value)
    {
        (_starts, _ends, _shift, _inserted) = (starts, ends, shift, inserted);
    }

    /// <summary>The normalised text; well-formed UTF-16.</summary>
    public ReadOnlySpan<char> Value { get; }

    /// <summary>Where the unit at <paramref name="index"/> begins in the text as given.</summary>
    public int Start(int index)
    {
        int unit = Math.Max(index, _inserted) - _inserted + _shift;
        return _starts is null ? unit : _starts[unit];
    }

    /// <summary>Where the unit before <paramref name="end"/> ends in the text as given.</summary>
    public int End(int end)
    {
        if (end <= _inserted) end = _inserted + (char.IsHighSurrogate(Value[_inserted]) ? 2 : 1);
        int unit = end - 1 - _inserted + _shift;
        return _ends is null ? unit + 1 : _ends[unit];
    }

    /// <summary>The part from <paramref name="start"/> to <paramref name="end"/>, which is not empty, with a space before it, which stands for the same as
    /// the first character.</summary>
    public AlignedText WithSpaceBefore(int start, int end) => Rewritten(string.Concat(" ", Value[start..end]), start, inserted: 1);

    /// <summary>Another text, unit for unit in place of this one from <paramref name="start"/> on, after <paramref name="inserted"/> units that stand for the
    /// same as the character after them.</summary>
    public AlignedText Rewritten(ReadOnlySpan<char> value, int start, int inserted) =>
        new(value, _starts, _ends, _shift + Math.Max(0, start - _inserted), inserted + Math.Max(0, _inserted - start));

    /// <summary>The same text with lone surrogates replaced by U+FFFD, which UTF-8 has no bytes for.</summary>
    public static string WellFormed(string text) => Repaired(text) is char[] repaired ? new string(repaired) : text;

    /// <inheritdoc cref="WellFormed(string)"/>
    public static ReadOnlySpan<char> WellFormed(ReadOnlySpan<char> text) => Repaired(text) is char[] repaired ? repaired : text;

    /// <summary>For every UTF-16 position (and the end) the number of code points before it; null where they are the same.</summary>
    public static int[]? CodePointIndex(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0) return null;
        var index = new int[text.Length + 1];
        int codePoints = 0;
        for (int i = 0; i < text.Length; i++)
        {
            index[i] = codePoints;
            if (!char.IsHighSurrogate(text[i])) codePoints++;
        }
        index[text.Length] = codePoints;
        return index;
    }

    // null: there is nothing to repair.
    private static char[]? Repaired(ReadOnlySpan<char> text)
    {
        int first = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0) return null;
        char[]? repaired = null;
        for (int i = first; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else (repaired ??= text.ToArray())[i] = '\uFFFD';
        }
        return repaired;
    }
}
