namespace ManagedTransformers.Tokenizers;

/// <summary>Canonical decomposition and composition of code points (Unicode Standard Annex 15), with the data of the library's version.</summary>
internal static class Decomposition
{
    // Hangul syllables are computed: Unicode Standard, section 3.12.
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7;
    private const int LCount = 19, VCount = 21, TCount = 28, NCount = VCount * TCount, SCount = LCount * NCount;

    private static readonly Dictionary<int, int[]> Decomposed = [];
    private static readonly Dictionary<(int First, int Second), int> Composed = [];
    private static readonly Dictionary<int, byte> Classes = ReadClasses();
    private static readonly Lazy<Dictionary<int, int[]>> Compatible = new(ReadCompatible);
    private static readonly Lazy<ulong[]> NotComposed = new(FindNotComposed);       // a bit for each code point

    static Decomposition()
    {
        var compositions = new List<(int CodePoint, int[] Parts)>();
        var data = new PackedNumbers(UnicodeData.Decompositions);
        for (int codePoint = 0; !data.AtEnd;)
        {
            codePoint += data.Next();
            int lengthAndExclusion = data.Next();
            var parts = new int[lengthAndExclusion >> 1];
            for (int i = 0; i < parts.Length; i++) parts[i] = data.Next();
            Decomposed.Add(codePoint, parts);
            if ((lengthAndExclusion & 1) == 0 && parts.Length > 1) compositions.Add((codePoint, parts));
        }

        // A full decomposition of n characters is a pair of the composite of the first n − 1 and the last: shorter ones first.
        foreach ((int codePoint, int[] parts) in compositions.OrderBy(c => c.Parts.Length))
        {
            int? prefix = parts[0];
            for (int i = 1; i < parts.Length - 1 && prefix is int p; i++) prefix = Compose(p, parts[i]);
            if (prefix is int first) Composed.TryAdd((first, parts[^1]), codePoint);
        }
    }

    /// <summary>The canonical combining class: 0 for a base character.</summary>
    public static byte CombiningClass(int codePoint) => codePoint < 0x300 ? (byte)0 : Classes.GetValueOrDefault(codePoint);

    /// <summary>Would normalisation to NFD leave it where and as it is, whatever stands around it?</summary>
    public static bool IsInert(int codePoint) =>
        codePoint < 0xC0 || (!Decomposed.ContainsKey(codePoint) && codePoint is < SBase or >= SBase + SCount && CombiningClass(codePoint) == 0);

    /// <summary>Does normalisation to NFC leave a text as it is that has only such characters?</summary>
    /// <remarks>Those of combining class 0 whose NFC_Quick_Check is Yes: Unicode Standard Annex 15, section 9.</remarks>
    public static bool IsComposed(int codePoint) => (NotComposed.Value[codePoint >> 6] >> (codePoint & 63) & 1) == 0;

    /// <summary>Appends the full canonical decomposition of a code point.</summary>
    public static void Decompose(int codePoint, List<int> parts)
    {
        if (codePoint is >= SBase and < SBase + SCount)
        {
            int s = codePoint - SBase;
            parts.Add(LBase + (s / NCount));
            parts.Add(VBase + (s % NCount / TCount));
            if (s % TCount != 0) parts.Add(TBase + (s % TCount));
        }
        else if (codePoint >= 0xC0 && Decomposed.TryGetValue(codePoint, out int[]? decomposition)) parts.AddRange(decomposition);
        else parts.Add(codePoint);
    }

    /// <summary>Appends the full compatibility decomposition of a code point.</summary>
    public static void DecomposeCompatibly(int codePoint, List<int> parts)
    {
        if (Compatible.Value.TryGetValue(codePoint, out int[]? decomposition)) parts.AddRange(decomposition);
        else Decompose(codePoint, parts);
    }

    /// <summary>The primary composite of two code points; null where there is none.</summary>
    public static int? Compose(int first, int second)
    {
        if (first is >= LBase and < LBase + LCount && second is >= VBase and < VBase + VCount)
            return SBase + (((first - LBase) * NCount) + ((second - VBase) * TCount));
        if (first is >= SBase and < SBase + SCount && (first - SBase) % TCount == 0 && second is > TBase and < TBase + TCount)
            return first + (second - TBase);
        return Composed.TryGetValue((first, second), out int composite) ? composite : null;
    }

    private static Dictionary<int, int[]> ReadCompatible()
    {
        var compatible = new Dictionary<int, int[]>(4000);
        var data = new PackedNumbers(CompatibilityData.Decompositions);
        for (int codePoint = 0; !data.AtEnd;)
        {
            codePoint += data.Next();
            var parts = new int[data.Next()];
            for (int i = 0; i < parts.Length; i++) parts[i] = data.Next();
            compatible.Add(codePoint, parts);
        }
        return compatible;
    }

    // Marks, what may compose with a character before it, and what decomposes for good.
    private static ulong[] FindNotComposed()
    {
        var primary = new HashSet<int>(Composed.Values);
        IEnumerable<int> all =
        [
            .. Classes.Keys, .. Composed.Keys.Select(pair => pair.Second), .. Decomposed.Keys.Where(codePoint => !primary.Contains(codePoint)),
            .. Enumerable.Range(VBase, VCount), .. Enumerable.Range(TBase, TCount),
        ];
        var bits = new ulong[CodePoints.Count / 64];
        foreach (int codePoint in all) bits[codePoint >> 6] |= 1UL << (codePoint & 63);
        return bits;
    }

    private static Dictionary<int, byte> ReadClasses()
    {
        var classes = new Dictionary<int, byte>(1000);
        var data = new PackedNumbers(UnicodeData.CombiningClasses);
        for (int codePoint = 0; !data.AtEnd;)
        {
            codePoint += data.Next();
            int end = codePoint + data.Next();
            byte combiningClass = data.NextByte();
            for (; codePoint < end; codePoint++) classes.Add(codePoint, combiningClass);
        }
        return classes;
    }
}
