using System.Runtime.InteropServices;
using System.Text;

namespace ManagedTransformers.Tokenizers;


/// <summary>A text under normalisation: code points, each with the part of the text as given (in UTF-16 units) that it stands for.</summary>
internal sealed class NormalizedText
{
    private readonly int _origin;
    private List<Character> _characters;
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

    /// <summary>Puts a space before and after every character that matches; all three stand for what it stood for.</summary>
    public void Surround(Predicate<int> match)
    {
        if (!Any(match)) return;
        var spaced = new List<Change>(_characters.Count * 2);
        foreach (Character c in _characters)
        {
            if (!match(c.CodePoint)) spaced.Add(new Change(c.CodePoint, 0));
            else spaced.AddRange([new Change(' ', 0), new Change(c.CodePoint, 1), new Change(' ', 1)]);
        }
        Transform(spaced);
    }

    /// <summary>The bytes of UTF-8 in the characters of <see cref="ByteAlphabet"/>.</summary>
    public void ToBytes()
    {
        var bytes = new List<Change>(_characters.Count * 2);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Character c in _characters)
        {
            int count = new Rune(c.CodePoint).EncodeToUtf8(utf8);
            for (int i = 0; i < count; i++) bytes.Add(new Change(ByteAlphabet.CharacterOf(utf8[i]), i == 0 ? 0 : 1));
        }
        Transform(bytes);
    }

    /// <summary>Normalisation form D.</summary>
    public void Decompose()
    {
        if (Any(c => !Decomposition.IsInert(c))) Transform(Decomposed(Decomposition.Decompose));
    }

    /// <summary>Normalisation form C.</summary>
    public void Compose()
    {
        if (Any(c => !Decomposition.IsInert(c) || c is >= 0x1100 and < 0x1200)) Transform(Composition.Of(Decomposed(Decomposition.Decompose)));
    }

    /// <summary>Normalisation form KD (false) or KC (true).</summary>
    public void DecomposeCompatibly(bool compose)
    {
        if (!Any(c => c >= 0xA0)) return;
        List<Change> decomposed = Decomposed(Decomposition.DecomposeCompatibly);
        Transform(compose ? Composition.Of(decomposed) : decomposed);
    }

    /// <summary>Puts a text before this one, unless this one is empty. It stands, with the first character, for what that stood for; with an empty
    /// text before it, the first character stands for nothing.</summary>
    public void Prepend(string before)
    {
        if (_characters.Count == 0) return;
        Character first = _characters[0];
        if (before.Length == 0) _characters[0] = new Character(first.CodePoint, _origin, _origin);
        _characters.InsertRange(0, before.EnumerateRunes().Select(rune => first with { CodePoint = rune.Value }));
    }

    /// <summary>Takes characters off the ends.</summary>
    public void Strip(bool left, bool right, Predicate<int> strips)
    {
        int end = _characters.Count, start = 0;
        while (right && end > 0 && strips(_characters[end - 1].CodePoint)) end--;
        while (left && start < end && strips(_characters[start].CodePoint)) start++;
        _characters.RemoveRange(end, _characters.Count - end);
        _characters.RemoveRange(0, start);
    }

    /// <summary>Puts a text in place of every match, unless this one is empty. It stands for what the last character of the match stood for, or, where the
    /// match is empty, the one before it.</summary>
    public void Replace(TextPattern pattern, string content)
    {
        string text = Value();
        if (text.Length == 0) return;
        var found = new List<(int Start, int End)>();
        for (var matches = new Matches(pattern, text); matches.Next(out int start, out int end); found.Add((start, end)))
            _cancellationToken.ThrowIfCancellationRequested();
        if (found.Count == 0) return;
        int[] contents = [.. content.EnumerateRunes().Select(rune => rune.Value)];
        var replaced = new List<Character>((int)Math.Min(Array.MaxLength, _characters.Count + ((long)found.Count * contents.Length)));
        int unit = 0, character = 0;
        foreach ((int start, int end) in found)
        {
            for (; unit < start; unit += UnitsOf(_characters[character++])) replaced.Add(_characters[character]);
            for (; unit < end; unit += UnitsOf(_characters[character++])) { }
            Character last = character == 0 ? new Character(0, _origin, _origin) : _characters[character - 1];
            foreach (int codePoint in contents) replaced.Add(last with { CodePoint = codePoint });
        }
        for (; character < _characters.Count; character++) replaced.Add(_characters[character]);
        _characters = replaced;
    }

    /// <summary>Rewrites the text as a function says that gets it whole; null: nothing changes.</summary>
    public void Rewrite(Func<string, List<Change>?> changes)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        if (changes(Value()) is { } found) Transform(found);
    }

    /// <summary>The text with its alignment, ready to be split.</summary>
    public AlignedText ToAligned()
    {
        string value = Value();
        var starts = new int[value.Length];
        var ends = new int[value.Length];
        int unit = 0;
        foreach (ref readonly Character c in CollectionsMarshal.AsSpan(_characters))
        {
            for (int next = unit + UnitsOf(c); unit < next; unit++) (starts[unit], ends[unit]) = (c.Start, c.End);
        }
        return new AlignedText(value, starts, ends);
    }

    /// <summary>The text as it is now.</summary>
    public string Value()
    {
        _cancellationToken.ThrowIfCancellationRequested();
        int length = 0;
        foreach (ref readonly Character c in CollectionsMarshal.AsSpan(_characters)) length += UnitsOf(c);
        return string.Create(length, _characters, static (value, characters) =>
        {
            foreach (ref readonly Character c in CollectionsMarshal.AsSpan(characters)) value = value[new Rune(c.CodePoint).EncodeToUtf16(value)..];
        });
    }

    private static int UnitsOf(in Character c) => c.CodePoint < 0x10000 ? 1 : 2;

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
        _characters = transformed;
    }

    private List<Change> Decomposed(Action<int, List<int>> decompose)
    {
        var changes = new List<Change>(_characters.Count + 16);
        var parts = new List<int>(4);
        int marks = 0;      // start of the run of marks that may still have to be sorted
        foreach (Character c in _characters)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            parts.Clear();
            decompose(c.CodePoint, parts);
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
