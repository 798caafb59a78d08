using System.Runtime.InteropServices;
using System.Text;

namespace ManagedTransformers.Tokenizers;


/// <summary>A text under normalisation: code points, each with the part of the text as given (in UTF-16 units) that it stands for.</summary>
internal sealed class NormalizedText
{
    private readonly int _origin;
    private readonly List<Character> _characters;
    private readonly CancellationToken _cancellationToken;

    /// <summary>The part of <paramref name="text"/> from <paramref name="start"/> to <paramref name="end"/>; every pass over it can be cancelled.</summary>
    public NormalizedText(ReadOnlySpan<char> text, int start, int end, CancellationToken cancellationToken)
    {
        (_origin, _cancellationToken) = (start, cancellationToken);
        _characters = new List<Character>(end - start);
        for (int i = start; i < end;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int codePoint = CodePoints.At(text, i, out int length);
            _characters.Add(new Character(codePoint, i, i + length));
            i += length;
        }
    }

    public void Filter(Predicate<int> keep)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        _characters.RemoveAll(c => !keep(c.CodePoint));
    }

    public void Map(Func<int, int> map)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        foreach (ref Character c in CollectionsMarshal.AsSpan(_characters)) c.CodePoint = map(c.CodePoint);
    }

    public bool Any(Predicate<int> match)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        foreach (ref readonly Character c in CollectionsMarshal.AsSpan(_characters))
            if (match(c.CodePoint)) return true;
        return false;
    }

    /// <summary>Lower case, character by character, as the library does it (so a final sigma is an ordinary one).</summary>
    public void Lowercase()
    {
        const int CapitalIWithDot = 0x130;
        if (!Any(c => c == CapitalIWithDot))
        {
            Map(CodePoints.ToLower);
            return;
        }
        var lower = new List<Change>(_characters.Count + 8);
        foreach (Character c in _characters)
        {
            lower.Add(new Change(c.CodePoint == CapitalIWithDot ? 'i' : CodePoints.ToLower(c.CodePoint), 0));
            if (c.CodePoint == CapitalIWithDot) lower.Add(new Change(0x307, 1));
        }
        Transform(lower);
    }

    /// <summary>Puts a space before and after every character that matches.</summary>
    public void Surround(Predicate<int> match)
    {
        if (!Any(match)) return;
        var spaced = new List<Change>(_characters.Count * 2);
        foreach (Character c in _characters)
        {
            bool surround = match(c.CodePoint);
            if (surround) spaced.Add(new Change(' ', 1));
            spaced.Add(new Change(c.CodePoint, 0));
            if (surround) spaced.Add(new Change(' ', 1));
        }
        Transform(spaced);
    }

    /// <summary>Normalisation form D.</summary>
    public void Decompose()
    {
        if (Any(c => !Decomposition.IsInert(c))) Transform(Decomposed());
    }

    /// <summary>Normalisation form C.</summary>
    public void Compose()
    {
        if (Any(c => !Decomposition.IsInert(c) || c is >= 0x1100 and < 0x1200)) Transform(Composition.Of(Decomposed()));
    }

    /// <summary>The text with its alignment, ready to be split.</summary>
    public AlignedText ToAligned()
    {
        var value = new StringBuilder(_characters.Count);
        var starts = new List<int>(_characters.Count);
        var ends = new List<int>(_characters.Count);
        foreach (Character c in _characters)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            int units = c.CodePoint < 0x10000 ? 1 : 2;
            if (units == 1) value.Append((char)c.CodePoint);
            else value.Append(char.ConvertFromUtf32(c.CodePoint));
            for (int i = 0; i < units; i++)
            {
                starts.Add(c.Start);
                ends.Add(c.End);
            }
        }
        return new AlignedText(value.ToString(), [.. starts], [.. ends]);
    }

    // transform_range of the library: 0 replaces a character, 1 inserts one, −n replaces one and removes the n after it. An inserted
    // character stands for what the one before it stands for (at the very beginning for nothing).
    private void Transform(List<Change> changes)
    {
        var transformed = new List<Character>(changes.Count);
        int next = 0;
        foreach (Change change in changes)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (change.Kind > 0)
            {
                transformed.Add(next == 0 ? new Character(change.CodePoint, _origin, _origin) : _characters[next - 1] with { CodePoint = change.CodePoint });
                continue;
            }
            transformed.Add(_characters[next] with { CodePoint = change.CodePoint });
            next += 1 - change.Kind;
        }
        _characters.Clear();
        _characters.AddRange(transformed);
    }

    private List<Change> Decomposed()
    {
        var changes = new List<Change>(_characters.Count + 16);
        var parts = new List<int>(4);
        int marks = 0;      // start of the run of marks that may still have to be sorted
        foreach (Character c in _characters)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            parts.Clear();
            Decomposition.Decompose(c.CodePoint, parts);
            for (int i = 0; i < parts.Count; i++)
            {
                if (Decomposition.CombiningClass(parts[i]) == 0)
                {
                    SortMarks(changes, marks);
                    marks = changes.Count + 1;
                }
                changes.Add(new Change(parts[i], i == 0 ? 0 : 1));
            }
        }
        SortMarks(changes, marks);
        return changes;
    }

    // Canonical ordering: stable, by combining class.
    private static void SortMarks(List<Change> changes, int start)
    {
        if (changes.Count - start < 2) return;
        Change[] sorted = [.. changes.Skip(start).OrderBy(c => Decomposition.CombiningClass(c.CodePoint))];
        sorted.CopyTo(CollectionsMarshal.AsSpan(changes)[start..]);
    }

    private record struct Character(int CodePoint, int Start, int End);
}

/// <summary>A character of the new text: it replaces one (0), is inserted (1), or replaces one and removes the n after it (−n).</summary>
internal readonly record struct Change(int CodePoint, int Kind);

/// <summary>A normalised text that knows which part of the text as given each of its characters stands for; NormalizedString of the library.</summary>
/// <remarks>All positions are UTF-16 units. Immutable.</remarks>
internal readonly ref struct AlignedText
{
    private readonly int _shift;
    private readonly int _inserted;     // 1: a space was put before the text; it stands for the same as the character after it
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

    private AlignedText(ReadOnlySpan<char> value, int[]? starts, int[]? ends, int shift)
        : this(value)
    {
        (_starts, _ends, _shift, _inserted) = (starts, ends, shift, 1);
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
        if (end == 1 && _inserted == 1) end = char.IsHighSurrogate(Value[1]) ? 3 : 2;
        int unit = end - 1 - _inserted + _shift;
        return _ends is null ? unit + 1 : _ends[unit];
    }

    /// <summary>The part from <paramref name="start"/> to <paramref name="end"/>, which is not empty, with a space before it, which stands for the same as
    /// the first character.</summary>
    public AlignedText WithSpaceBefore(int start, int end) => new(string.Concat(" ", Value[start..end]), _starts, _ends, start - _inserted + _shift);

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

/// <summary>Canonical composition (Unicode Standard, D117), keeping count of what it removes.</summary>
internal static class Composition
{
    /// <summary>Composes a text in canonical order. A mark that is blocked by one before it stays.</summary>
    public static List<Change> Of(List<Change> decomposed)
    {
        var composed = new List<Change>(decomposed.Count);
        var marks = new List<Change>();         // marks after the starter that did not compose with it
        Change? starter = null;
        int lastClass = -1;
        foreach (Change c in decomposed)
        {
            int combiningClass = Decomposition.CombiningClass(c.CodePoint);
            if (starter is not Change s)
            {
                if (combiningClass == 0) starter = c;
                else composed.Add(c);
                continue;
            }
            bool blocked = lastClass >= combiningClass && lastClass >= 0;
            if (!blocked && Decomposition.Compose(s.CodePoint, c.CodePoint) is int composite)
            {
                starter = new Change(composite, s.Kind + c.Kind - 1);
            }
            else if (combiningClass == 0)
            {
                composed.Add(s);
                composed.AddRange(marks);
                marks.Clear();
                starter = c;
                lastClass = -1;
            }
            else
            {
                marks.Add(c);
                lastClass = combiningClass;
            }
        }
        if (starter is Change last) composed.Add(last);
        composed.AddRange(marks);
        return composed;
    }
}
