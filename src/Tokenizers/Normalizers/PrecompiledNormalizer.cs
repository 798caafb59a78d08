using System.Globalization;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>Replaces characters as SentencePiece's map says: what a user sees as one character as a whole where it is short, else code point by code
/// point.</summary>
/// <remarks>Precompiled of the library. SentencePiece itself takes the longest key anywhere: halfwidth kana, jamo and decomposed letters differ.</remarks>
internal sealed class PrecompiledNormalizer(CharacterMap map) : Normalizer
{
    private const int LongestCluster = 5;       // bytes

    private readonly Unit[] _units = new Unit[char.MaxValue + 1];       // found out when they come

    /// <summary>What a UTF-16 unit is to the map.</summary>
    private enum Unit : byte
    {
        Unknown,

        /// <summary>A character by itself beside others that are; it stays.</summary>
        Stays,

        /// <summary>The same; it is replaced.</summary>
        Replaced,

        /// <summary>May be one character with its neighbours.</summary>
        Joins,
    }

    public override void Normalize(NormalizedText text) => text.Rewrite(Changes);

    public override string NormalizeText(string text, CancellationToken cancellationToken)
    {
        StringBuilder? written = null;
        int copied = 0;
        for (int i = 0; i < text.Length;)
        {
            i = EndOfUnchanged(text, i);
            if (i == text.Length) break;
            cancellationToken.ThrowIfCancellationRequested();
            int end = EndOfCluster(text, i);
            (written ??= new StringBuilder(text.Length + 16)).Append(text, copied, i - copied);
            var changes = new List<Change>();
            AddCluster(changes, text.AsSpan(i, end - i));
            foreach (Change change in changes) written.Append(new Rune(change.CodePoint));
            copied = i = end;
        }
        return written is null ? text : written.Append(text, copied, text.Length - copied).ToString();
    }

    // null: the map has nothing of the text.
    private List<Change>? Changes(string text)
    {
        var changes = new List<Change>(text.Length);
        bool changed = false;
        for (int i = 0; i < text.Length;)
        {
            for (int end = EndOfUnchanged(text, i); i < end; i++) changes.Add(new Change(text[i], 0));
            if (i == text.Length) break;
            int next = EndOfCluster(text, i);
            changed |= AddCluster(changes, text.AsSpan(i, next - i));
            i = next;
        }
        return changed ? changes : null;
    }

    // Up to where characters stay as they are. The last of them may belong to what follows it.
    private int EndOfUnchanged(string text, int i)
    {
        int start = i;
        while (i < text.Length && UnitOf(text[i]) == Unit.Stays) i++;
        return i > start && i < text.Length && UnitOf(text[i]) == Unit.Joins ? i - 1 : i;
    }

    private int EndOfCluster(string text, int i) =>
        UnitOf(text[i]) != Unit.Joins && (i + 1 == text.Length || UnitOf(text[i + 1]) != Unit.Joins) ? i + 1 : i + StringInfo.GetNextTextElementLength(text, i);

    private Unit UnitOf(char unit)
    {
        Unit known = _units[unit];
        return known != Unit.Unknown ? known : _units[unit] = FindUnit(unit);
    }

    // One that joins neither its like nor a letter on either side joins no other such.
    private Unit FindUnit(char unit)
    {
        if (char.IsSurrogate(unit) || unit == '\r') return Unit.Joins;
        if (unit >= 128 && (Joins($"{unit}{unit}") || Joins($"a{unit}") || Joins($"{unit}a"))) return Unit.Joins;
        Span<byte> utf8 = stackalloc byte[LongestCluster];
        return map.Find(utf8[..new Rune(unit).EncodeToUtf8(utf8)]) is null ? Unit.Stays : Unit.Replaced;

        static bool Joins(string two) => StringInfo.GetNextTextElementLength(two) == two.Length;
    }

    private bool AddCluster(List<Change> changes, ReadOnlySpan<char> cluster)
    {
        Span<byte> utf8 = stackalloc byte[LongestCluster];
        if (System.Text.Encoding.UTF8.TryGetBytes(cluster, utf8, out int length) && map.Find(utf8[..length]) is int[] whole)
        {
            Replace(changes, CountRunes(cluster), whole);
            return true;
        }
        bool changed = false;
        foreach (Rune rune in cluster.EnumerateRunes()) changed |= Add(changes, rune.Value, map.Find(utf8[..rune.EncodeToUtf8(utf8)]));
        return changed;
    }

    private static bool Add(List<Change> changes, int codePoint, int[]? text)
    {
        if (text is null) changes.Add(new Change(codePoint, 0));
        else Replace(changes, 1, text);
        return text is not null;
    }

    // More characters than before: the last ones are inserted. Fewer: the last one, which may be one from before, takes the others with it.
    private static void Replace(List<Change> changes, int before, int[] text)
    {
        for (int i = 0; i < text.Length; i++) changes.Add(new Change(text[i], i < before ? 0 : 1));
        if (text.Length < before && changes.Count > 0) changes[^1] = changes[^1] with { Kind = changes[^1].Kind + text.Length - before };
    }

    private static int CountRunes(ReadOnlySpan<char> text)
    {
        int count = 0;
        foreach (char c in text)
            if (!char.IsLowSurrogate(c)) count++;
        return count;
    }
}
