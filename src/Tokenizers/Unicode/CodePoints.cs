namespace ManagedTransformers.Tokenizers;

/// <summary>What a code point is, to the parts of the tokenizers library that ask.</summary>
[Flags]
internal enum CodePointClass : byte
{
    /// <summary>None of the others.</summary>
    None = 0,

    /// <summary>\p{L} of the GPT-2 pattern.</summary>
    Letter = 1,

    /// <summary>\p{N} of the GPT-2 pattern.</summary>
    Number = 2,

    /// <summary>Unicode's White_Space.</summary>
    Space = 4,

    /// <summary>What the Digits pre-tokenizer calls a digit.</summary>
    Numeric = 8,

    /// <summary>What the BERT pre-tokenizer calls punctuation.</summary>
    Punctuation = 16,

    /// <summary>What the BERT normalizer removes as a control character, or as no character at all.</summary>
    Control = 32,

    /// <summary>A mark that does not advance: an accent.</summary>
    Mark = 64,

    /// <summary>\w of regular expressions.</summary>
    Word = 128,
}

/// <summary>Properties of Unicode code points, the same on every machine and .NET version (see <see cref="UnicodeData"/>).</summary>
internal static class CodePoints
{
    /// <summary>One past the last code point.</summary>
    public const int Count = 0x110000;

    private static readonly CodePointClass[] Classes = ReadClasses();
    private static readonly Dictionary<int, int> Lowercase = ReadLowercase();
    private static readonly HashSet<int> CombiningMarks = ReadCombiningMarks();

    public static bool Is(int codePoint, CodePointClass any) => (Classes[codePoint] & any) != CodePointClass.None;

    public static CodePointClass ClassOf(int codePoint) => Classes[codePoint];

    /// <summary>Letter, Number, Space, or None of these: what the patterns of GPT-2 and its successors tell apart.</summary>
    public static CodePointClass WordClassOf(int codePoint) =>
        Classes[codePoint] & (CodePointClass.Letter | CodePointClass.Number | CodePointClass.Space);

    /// <summary>Where the code points from <paramref name="i"/> on end that are of one <see cref="WordClassOf"/>.</summary>
    public static int EndOfRun(ReadOnlySpan<char> text, int i, CodePointClass kind)
    {
        while (i < text.Length)
        {
            int codePoint = At(text, i, out int length);
            if (WordClassOf(codePoint) != kind) return i;
            i += length;
        }
        return i;
    }

    /// <summary>Its lower case: itself where it has none. U+0130 is two characters in lower case and is left to the caller.</summary>
    public static int ToLower(int codePoint)
    {
        if (codePoint < 128) return codePoint is >= 'A' and <= 'Z' ? codePoint + 32 : codePoint;
        return Lowercase.GetValueOrDefault(codePoint, codePoint);
    }

    /// <summary>The blocks that the BERT normalizer calls Chinese.</summary>
    public static bool IsChinese(int c) =>
        c >= 0x3400 && c is <= 0x4DBF or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x2A6DF)
            or (>= 0x2A700 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>The code point that starts at <paramref name="index"/> of well-formed UTF-16, and how many units it takes.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        char c = text[index];
        if (!char.IsHighSurrogate(c))
        {
            length = 1;
            return c;
        }
        length = 2;
        return char.ConvertToUtf32(c, text[index + 1]);
    }

    /// <summary>The code point that ends before <paramref name="end"/> of well-formed UTF-16.</summary>
    public static int Before(ReadOnlySpan<char> text, int end)
    {
        char c = text[end - 1];
        return char.IsLowSurrogate(c) ? char.ConvertToUtf32(text[end - 2], c) : c;
    }

    /// <summary>Bytes that it takes in UTF-8.</summary>
    public static int Utf8Length(int codePoint) => codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;

    /// <summary>General category M: what the StripAccents normalizer removes.</summary>
    public static bool IsCombiningMark(int codePoint) => codePoint >= 0x300 && CombiningMarks.Contains(codePoint);

    private static HashSet<int> ReadCombiningMarks()
    {
        var marks = new HashSet<int>(2500);
        var data = new PackedNumbers(UnicodeData.CombiningMarks);
        for (int codePoint = 0; !data.AtEnd;)
        {
            codePoint += data.Next();
            for (int end = codePoint + data.Next(); codePoint < end; codePoint++) marks.Add(codePoint);
        }
        return marks;
    }

    private static CodePointClass[] ReadClasses()
    {
        var classes = new CodePointClass[Count];
        var data = new PackedNumbers(UnicodeData.Classes);
        for (int start = 0; start < Count;)
        {
            int length = data.Next();
            classes.AsSpan(start, length).Fill((CodePointClass)data.NextByte());
            start += length;
        }
        return classes;
    }

    private static Dictionary<int, int> ReadLowercase()
    {
        var lower = new Dictionary<int, int>(1500);
        var data = new PackedNumbers(UnicodeData.Lowercase);
        for (int codePoint = 0; !data.AtEnd;)
        {
            codePoint += data.Next();
            int zigzag = data.Next();
            lower.Add(codePoint, codePoint + ((zigzag >> 1) ^ -(zigzag & 1)));
        }
        return lower;
    }
}

/// <summary>Reads the variable-length numbers of <see cref="UnicodeData"/>.</summary>
internal ref struct PackedNumbers(string base64)
{
    private readonly byte[] _bytes = Convert.FromBase64String(base64);
    private int _next;

    public readonly bool AtEnd => _next == _bytes.Length;

    public byte NextByte() => _bytes[_next++];

    public int Next()
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = _bytes[_next++];
            value |= (b & 127) << shift;
            if (b < 128) return value;
        }
    }
}
