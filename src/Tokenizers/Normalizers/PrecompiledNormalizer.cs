using System.Globalization;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>Replaces characters as SentencePiece's map says: what a user sees as one character as a whole where it is short, else code point by code
/// point.</summary>
/// <remarks>Precompiled of the library. SentencePiece itself takes the longest key anywhere: halfwidth kana, jamo and decomposed letters differ.</remarks>
internal sealed class PrecompiledNormalizer(CharacterMap map) : Normalizer
{
    private const int LongestCluster = 5;       // bytes

    public override void Normalize(NormalizedText text) => text.Rewrite(Changes);

    // null: the map has nothing of the text.
    private List<Change>? Changes(string text)
    {
        var changes = new List<Change>(text.Length);
        bool changed = false;
        for (int i = 0; i < text.Length;)
        {
            // A character before ASCII, but for a line end of two, stands alone.
            bool single = text[i] < 128 && (i + 1 == text.Length || (text[i + 1] < 128 && text[i + 1] != '\n'));
            int end = single ? i + 1 : i + StringInfo.GetNextTextElementLength(text, i);
            changed |= single ? Add(changes, text[i], map.OfAscii(text[i])) : AddCluster(changes, text.AsSpan(i, end - i));
            i = end;
        }
        return changed ? changes : null;
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
