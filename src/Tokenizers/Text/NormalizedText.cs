using System.Runtime.InteropServices;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>A text under normalisation: code points, each with the part of the text as given (in UTF-16 units) that it stands for.</summary>
internal sealed class NormalizedText
{
    private readonly int _origin;
    private readonly List<Character> _characters;

    /// <summary>The part of <paramref name="text"/> from <paramref name="start"/> to <paramref name="end"/>.</summary>
    public NormalizedText(string text, int start, int end)
    {
        _origin = start;
        _characters = new List<Character>(end - start);
        for (int i = start; i < end;)
        {
            int codePoint = CodePoints.At(text, i, out int length);
            _characters.Add(new Character(codePoint, i, i + length));
            i += length;
        }
    }

    public void Filter(Predicate<int> keep) => _characters.RemoveAll(c => !keep(c.CodePoint));

    public void Map(Func<int, int> map)
    {
        foreach (ref Character c in CollectionsMarshal.AsSpan(_characters)) c.CodePoint = map(c.CodePoint);
    }

    public bool Any(Predicate<int> match)
    {
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
