using System.Globalization;
using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>The classes of characters that regular expressions of tokenizer.json name, as Oniguruma has them.</summary>
/// <remarks>They are not those of Rust's regular expressions, which <see cref="CodePointClass"/> has and the Whitespace pre-tokenizer uses.</remarks>
internal static class RegexClasses
{
    // In the order of UnicodeCategory.
    private const string Categories = "LuLlLtLmLoMnMcMeNdNlNoZsZlZpCcCfCsCoPcPdPsPePiPfPoSmScSkSoCn";

    private static readonly Dictionary<string, string> LongNames = new()
    {
        ["letter"] = "l", ["uppercaseletter"] = "lu", ["lowercaseletter"] = "ll", ["titlecaseletter"] = "lt", ["modifierletter"] = "lm", ["otherletter"] = "lo",
        ["mark"] = "m", ["nonspacingmark"] = "mn", ["spacingmark"] = "mc", ["enclosingmark"] = "me",
        ["number"] = "n", ["decimalnumber"] = "nd", ["letternumber"] = "nl", ["othernumber"] = "no",
        ["separator"] = "z", ["spaceseparator"] = "zs", ["lineseparator"] = "zl", ["paragraphseparator"] = "zp",
        ["other"] = "c", ["control"] = "cc", ["format"] = "cf", ["surrogate"] = "cs", ["privateuse"] = "co", ["unassigned"] = "cn",
        ["punctuation"] = "p", ["connectorpunctuation"] = "pc", ["dashpunctuation"] = "pd", ["openpunctuation"] = "ps", ["closepunctuation"] = "pe",
        ["initialpunctuation"] = "pi", ["finalpunctuation"] = "pf", ["otherpunctuation"] = "po",
        ["symbol"] = "s", ["mathsymbol"] = "sm", ["currencysymbol"] = "sc", ["modifiersymbol"] = "sk", ["othersymbol"] = "so",
        ["alphabetic"] = "alpha", ["uppercase"] = "upper", ["lowercase"] = "lower", ["whitespace"] = "space",
    };

    // Every character with those that are the same in another case.
    private static readonly Lazy<Dictionary<int, int[]>> Cases = new(ReadCases);

    /// <summary><c>[\w]</c>: letters, marks, decimal digits and connectors; no joiners.</summary>
    public static bool IsWordInSet(int c) => CodePoints.Is(c, CodePointClass.Word) && c is not (0x200C or 0x200D);

    /// <summary><c>\w</c>, which is not in brackets: ² and ¼ are in it, too, as in Latin-1.</summary>
    public static bool IsWord(int c) => IsWordInSet(c) || c is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE);

    /// <summary><c>\d</c>: decimal digits of any script.</summary>
    public static bool IsDigit(int c) => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber;

    /// <summary><c>\h</c>: hexadecimal digits.</summary>
    public static bool IsHexDigit(int c) => c < 128 && char.IsAsciiHexDigit((char)c);

    /// <summary><c>\s</c>.</summary>
    public static bool IsSpace(int c) => CodePoints.Is(c, CodePointClass.Space);

    /// <summary>The class of <c>[:name:]</c>; null: there is none.</summary>
    public static Predicate<int>? Posix(string name) => name switch
    {
        "alnum" => c => IsAlphabetic(c) || IsDigit(c),
        "alpha" => IsAlphabetic,
        "ascii" => c => c < 128,
        "blank" => c => c == '\t' || Category(c) == UnicodeCategory.SpaceSeparator,
        "cntrl" => c => Category(c) == UnicodeCategory.Control,
        "digit" => IsDigit,
        "graph" => c => !IsSpace(c) && Category(c) is not (UnicodeCategory.Control or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned),
        "lower" => c => Category(c) == UnicodeCategory.LowercaseLetter || RegexData.OtherLowercase.Contains(c),
        "print" => c => Category(c) == UnicodeCategory.SpaceSeparator || Posix("graph")!(c),
        "punct" => c => Category(c) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherSymbol,
        "space" => IsSpace,
        "upper" => c => Category(c) == UnicodeCategory.UppercaseLetter || RegexData.OtherUppercase.Contains(c),
        "word" => IsWordInSet,
        "xdigit" => IsHexDigit,
        _ => null,
    };

    /// <summary>The class of <c>\p{name}</c>: a general category, a class of <see cref="Posix"/>, or a script; null: there is none. Case, spaces, - and _ do
    /// not count.</summary>
    public static Predicate<int>? Property(string name, bool inSet)
    {
        string key = string.Concat(name.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant();
        key = LongNames.GetValueOrDefault(key, key);
        switch (key)
        {
            case "l" or "n":
                return key == "l" ? c => CodePoints.Is(c, CodePointClass.Letter) : c => CodePoints.Is(c, CodePointClass.Number);
            case "any":
                return _ => true;
            case "assigned":
                return c => Category(c) != UnicodeCategory.OtherNotAssigned;
            case "word":
                return inSet ? IsWordInSet : IsWord;
            case "punct":
                key = "p";
                break;
        }
        bool[] members = [.. Enumerable.Range(0, Categories.Length / 2).Select(i => Categories.Substring(2 * i, key.Length is 1 or 2 ? key.Length : 2))
            .Select(category => category.Equals(key, StringComparison.OrdinalIgnoreCase))];
        if (members.Contains(true)) return c => members[(int)Category(c)];
        if (Posix(key) is { } posix) return posix;
        return RegexData.Script(key) is { } script ? script.Contains : null;
    }

    /// <summary>A class in any case.</summary>
    public static Predicate<int> InAnyCase(Predicate<int> match) =>
        c => match(c) || (Cases.Value.TryGetValue(c, out int[]? same) && Array.Exists(same, match));

    /// <summary>Does one character stand for both in another case: ß for ss, ﬁ for fi?</summary>
    public static bool AreOneInAnotherCase(int left, int right) => (left | 0x20, right | 0x20) is ('s', 's' or 't') or ('f', 'f' or 'i' or 'l');

    /// <summary>Do several characters stand for it in another case: ss for ß?</summary>
    public static bool IsSeveralInAnotherCase(int c) => c is 0xDF or 0x130 or 0x149 or 0x1F0 or 0x390 or 0x3B0 or 0x587 or (>= 0x1E96 and <= 0x1E9A) or 0x1E9E
        or (>= 0x1F50 and <= 0x1FFC) or (>= 0xFB00 and <= 0xFB17);

    private static bool IsAlphabetic(int c) =>
        CodePoints.Is(c, CodePointClass.Letter) || Category(c) == UnicodeCategory.LetterNumber || RegexData.OtherAlphabetic.Contains(c);

    private static UnicodeCategory Category(int c) => CharUnicodeInfo.GetUnicodeCategory(c);

    private static Dictionary<int, int[]> ReadCases()
    {
        const int PastCases = 0x1E944;      // Adlam's are the last
        return Enumerable.Range(0, PastCases).Where(Rune.IsValid)
            .GroupBy(FoldOf)
            .Where(group => group.Skip(1).Any())
            .SelectMany(group => group.Select(c => (c, group.ToArray())))
            .ToDictionary(pair => pair.c, pair => pair.Item2);
    }

    // The lower case of the upper case. The long s, and what has the same upper case of several characters, .NET leaves as they are.
    private static int FoldOf(int c) => c switch
    {
        0x17F => 's',
        0x1FD3 => 0x390,
        0x1FE3 => 0x3B0,
        0xFB05 => 0xFB06,
        _ => Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(c))).Value,
    };
}

/// <summary>Code points in runs.</summary>
internal sealed class CodePointSet
{
    private readonly int[] _edges;      // where runs begin and end, in turn

    /// <param name="packed">Gap, length of the run; packed as <see cref="UnicodeData"/> is.</param>
    public CodePointSet(string packed)
    {
        var edges = new List<int>();
        var data = new PackedNumbers(packed);
        for (int codePoint = 0; !data.AtEnd;) edges.Add(codePoint += data.Next());
        _edges = [.. edges];
    }

    public bool Contains(int codePoint)
    {
        int found = Array.BinarySearch(_edges, codePoint);
        return found >= 0 ? found % 2 == 0 : ~found % 2 == 1;
    }
}
