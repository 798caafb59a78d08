namespace ManagedTransformers.Tokenizers;

/// <summary>A normalised text that knows which part of the text as given each of its characters stands for; NormalizedString of the library.</summary>
/// <remarks>All positions are UTF-16 units. Immutable.</remarks>
internal sealed class AlignedText
{
    private readonly int _shift;
    private readonly int[]? _starts;    // [units]; null: unit i is unit _shift + i of the text as given
    private readonly int[]? _ends;      // [units]

    /// <summary>A text that is the text as given, or the part of it that starts at <paramref name="shift"/>.</summary>
    public AlignedText(string value, int shift = 0)
    {
        Value = value;
        _shift = shift;
    }

    /// <summary>A text whose unit i stands for the units from starts[i] to ends[i] of the text as given.</summary>
    public AlignedText(string value, int[] starts, int[] ends)
    {
        Value = value;
        _starts = starts;
        _ends = ends;
    }

    /// <summary>The normalised text; well-formed UTF-16.</summary>
    public string Value { get; }

    /// <summary>Where the unit at <paramref name="index"/> begins in the text as given.</summary>
    public int Start(int index) => _starts is null ? _shift + index : _starts[index];

    /// <summary>Where the unit before <paramref name="end"/> ends in the text as given.</summary>
    public int End(int end) => _ends is null ? _shift + end : _ends[end - 1];

    /// <summary>The part from <paramref name="start"/> to <paramref name="end"/> with a space before it, which stands for the same as the first
    /// character.</summary>
    public AlignedText WithSpaceBefore(int start, int end)
    {
        var starts = new int[end - start + 1];
        var ends = new int[starts.Length];
        for (int i = 1; i < starts.Length; i++) (starts[i], ends[i]) = CharacterAt(start + i - 1);
        starts[0] = starts[1];
        ends[0] = ends[1];
        return new AlignedText(string.Concat(" ", Value.AsSpan(start, end - start)), starts, ends);
    }

    /// <summary>The same text with lone surrogates replaced by U+FFFD, which UTF-8 has no bytes for.</summary>
    public static string WellFormed(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0) return text;
        char[]? repaired = null;
        for (int i = first; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else (repaired ??= text.ToCharArray())[i] = '\uFFFD';
        }
        return repaired is null ? text : new string(repaired);
    }

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

    // What a unit stands for: the whole of a surrogate pair, whichever of its units is asked for.
    private (int Start, int End) CharacterAt(int unit)
    {
        if (_starts is not null && _ends is not null) return (_starts[unit], _ends[unit]);
        int first = char.IsLowSurrogate(Value[unit]) ? unit - 1 : unit;
        return (_shift + first, _shift + first + (char.IsSurrogate(Value[unit]) ? 2 : 1));
    }
}
