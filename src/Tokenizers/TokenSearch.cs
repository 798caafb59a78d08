using System.Buffers;

namespace ManagedTransformers.Tokenizers;

/// <summary>
/// Finds tokens in a text: the leftmost, and of those that begin there the longest. Works on UTF-16 units. It holds the tokens themselves in order, and a few
/// numbers for each: of all tokens that a text begins with the longest is the last one that does not stand behind the text, or a beginning of that one.
/// </summary>
internal sealed class TokenSearch
{
    /// <summary>What a place in a text costs grows with the longest token; no tokenizer has one of a tenth of this.</summary>
    public const int LongestToken = 1024;

    // So few units behind the first are looked at before the tokens are.
    private const int FewUnits = 8;

    private readonly string[] _patterns;        // in ordinal order, none twice
    private readonly int[] _ids;
    private readonly int[] _beginnings;         // the longest other pattern that one begins with; −1: there is none
    private readonly char[] _units;             // the first unit of each group, in order
    private readonly Group[] _groups;
    private readonly SearchValues<char> _firstUnits;

    /// <summary>Searches for these patterns; empty ones are never found, of equal ones the first.</summary>
    /// <exception cref="TokenizerException">A pattern is too long.</exception>
    public TokenSearch(IEnumerable<(string Pattern, int Id)> patterns)
    {
        var ordered = new List<(string Pattern, int Id)>();
        foreach ((string Pattern, int Id) one in patterns.Where(one => one.Pattern.Length > 0).OrderBy(one => one.Pattern, StringComparer.Ordinal))
        {
            RequireShort(one.Pattern, one.Id);
            if (ordered.Count == 0 || ordered[^1].Pattern != one.Pattern) ordered.Add(one);
        }
        _patterns = [.. ordered.Select(one => one.Pattern)];
        _ids = [.. ordered.Select(one => one.Id)];
        _beginnings = Beginnings(_patterns);
        _groups = [.. Groups(_patterns)];
        _units = [.. _groups.Select(group => _patterns[group.First][0])];
        _firstUnits = SearchValues.Create(_units);
    }

    /// <exception cref="TokenizerException">A pattern is too long.</exception>
    public static void RequireShort(string pattern, int id)
    {
        if (pattern.Length > LongestToken)
            throw new TokenizerException($"The added token {id} ({Vocabulary.Show(pattern[..32])}…) has {pattern.Length} characters; " +
                $"at most {LongestToken} are possible. Look at added_tokens.");
    }

    public bool IsEmpty => _patterns.Length == 0;

    /// <summary>The next match at or after <paramref name="from"/>.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out int id)
    {
        for (start = from; !IsEmpty && start < text.Length; start++)
        {
            int skipped = text[start..].IndexOfAny(_firstUnits);
            if (skipped < 0) break;
            start += skipped;
            int found = LongestAt(text[start..]);
            if (found < 0) continue;
            (end, id) = (start + _patterns[found].Length, _ids[found]);
            return true;
        }
        (start, end, id) = (text.Length, text.Length, -1);
        return false;
    }

    /// <summary>The longest pattern that a text begins with; −1 for none.</summary>
    private int LongestAt(ReadOnlySpan<char> text)
    {
        Group group = _groups[_units.AsSpan().BinarySearch(text[0])];
        if (group.SecondUnits is string seconds && (text.Length == 1 || !seconds.Contains(text[1]))) return -1;
        int low = group.First, high = group.End;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_patterns[middle].AsSpan().SequenceCompareTo(text) <= 0) low = middle + 1;
            else high = middle;
        }
        int found = low - 1;
        if (found < group.First) return -1;
        int common = text.CommonPrefixLength(_patterns[found]);
        while (found >= 0 && _patterns[found].Length > common) found = _beginnings[found];
        return found;
    }

    private static int[] Beginnings(string[] patterns)
    {
        var beginnings = new int[patterns.Length];
        for (int i = 0; i < patterns.Length; i++)
        {
            int beginning = i - 1;
            while (beginning >= 0 && !patterns[i].StartsWith(patterns[beginning], StringComparison.Ordinal)) beginning = beginnings[beginning];
            beginnings[i] = beginning;
        }
        return beginnings;
    }

    private static IEnumerable<Group> Groups(string[] patterns)
    {
        int first = 0;
        while (first < patterns.Length)
        {
            string[] group = [.. patterns.Skip(first).TakeWhile(pattern => pattern[0] == patterns[first][0])];
            char[] seconds = group[0].Length == 1 ? [] : [.. group.Select(pattern => pattern[1]).Distinct().Take(FewUnits + 1)];
            yield return new Group(first, first + group.Length, seconds.Length is > 0 and <= FewUnits ? new string(seconds) : null);
            first += group.Length;
        }
    }

    /// <summary>The patterns of one first unit, and the units that follow it in them; null where the first stands alone, or where they are many.</summary>
    private readonly record struct Group(int First, int End, string? SecondUnits);
}
