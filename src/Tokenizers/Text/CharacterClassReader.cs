using System.Globalization;

namespace ManagedTransformers.Tokenizers;

/// <summary>Reads characters, classes and counts of a regular expression, one after the other.</summary>
internal sealed class CharacterClassReader(string source, string path)
{
    private int _literal, _literalEnd = -1;     // the last character that is not in a class, and where it ends
    private int _depth;                         // of classes in classes

    /// <summary>Where the reading is.</summary>
    public int Next { get; private set; }

    /// <summary>Characters and ranges match in any case.</summary>
    public bool IgnoreCase { get; set; }

    /// <summary>A dot takes line ends, too.</summary>
    public bool DotTakesAll { get; set; }

    public bool TryTake(char c) => TryTake(c.ToString());

    public bool TryTake(string text)
    {
        if (string.CompareOrdinal(source, Next, text, 0, text.Length) != 0) return false;
        Next += text.Length;
        return true;
    }

    /// <summary>The next character or class: <c>a</c>, <c>.</c>, <c>\s</c>, <c>\p{L}</c>, <c>[^…]</c>.</summary>
    /// <exception cref="TokenizerException">There is none, or it is not supported.</exception>
    public Predicate<int> Read()
    {
        if (Next < source.Length && source[Next] is '*' or '+' or '?') throw Unsupported("a quantifier that follows nothing");
        if (TryTake('.')) return DotTakesAll ? _ => true : c => c != '\n';
        if (TryTake('[')) return Set();
        int begin = Next;
        Predicate<int> one = One(out int character, inSet: false);
        if (character < 0 || !IgnoreCase) return one;       // \p{Lu} has no other case, [\p{Lu}] has
        bool joins = _literalEnd == begin && RegexClasses.AreOneInAnotherCase(_literal, character);
        if (joins || RegexClasses.IsSeveralInAnotherCase(character)) throw Unsupported("characters in any case that another number of characters stands for");
        (_literal, _literalEnd) = (character, Next);
        return Cased(one);
    }

    /// <summary>A quantifier, if there is one: <c>?</c>, <c>*</c>, <c>+</c>, <c>{2}</c>, <c>{2,}</c>, <c>{2,5}</c>, <c>{,5}</c>; no limit is null.</summary>
    public bool TryReadCount(out int least, out int? most, out bool inBraces)
    {
        (least, most, inBraces) = (0, null, false);
        if (TryTake('*')) return true;
        if (TryTake('?')) return (most = 1) == 1;
        if (TryTake('+')) return (least = 1) == 1;
        int close = source.IndexOf('}', Next);
        if (close < 0 || !TryTake('{')) return false;
        inBraces = true;
        string[] counts = source[Next..close].Split(',');
        if (counts is ["", ""]) throw Unsupported("this count");
        Next = close + 1;
        least = counts[0].Length == 0 && counts.Length == 2 ? 0 : Count(counts[0]);
        most = counts.Length == 1 ? least : counts[1].Length == 0 ? null : Count(counts[1]);
        if (counts.Length > 2 || most < least) throw Unsupported("this count");
        return true;
    }

    /// <summary>Passes over the name of a group, up to its &gt;.</summary>
    public void SkipName()
    {
        int close = source.IndexOf('>', Next);
        if (close <= Next) throw Unsupported("this kind of group");
        Next = close + 1;
    }

    /// <summary>Reads the options of a group, <c>i:</c>, <c>m-i:</c>; true: they end with <c>)</c> and are for all that follows.</summary>
    public bool ReadOptions()
    {
        for (bool on = true; Next < source.Length; Next++)
        {
            switch (source[Next])
            {
                case 'i':
                    IgnoreCase = on;
                    break;
                case 'm':
                    DotTakesAll = on;
                    break;
                case '-' when on:
                    on = false;
                    break;
                case ':' or ')':
                    return source[Next++] == ')';
                default:
                    throw Unsupported("this kind of group");
            }
        }
        throw Unsupported("a ( without a )");
    }

    /// <summary>The exception for what cannot be compiled.</summary>
    public TokenizerException Unsupported(string what) => new(
        $"{path} is {Vocabulary.Show(source)}: at character {Next} it has {what}, which is not supported here. docs/tokenizers.md lists what is.");

    private int Count(string digits) => int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
        ? count
        : throw Unsupported("this count");

    // What stands between [ and ]: members, and what && asks for besides.
    private Predicate<int> Set()
    {
        if (++_depth > RegexCompiler.DeepestNesting) throw Unsupported($"classes nested more than {RegexCompiler.DeepestNesting} deep");
        bool negated = TryTake('^');
        var all = new List<Predicate<int>>();
        var members = new List<Predicate<int>>();
        for (bool first = true; !TryTake(']') || first; first = false)
        {
            if (first && Next > 0 && source[Next - 1] == ']') throw Unsupported("an empty class");
            if (!TryTake("&&"))
            {
                members.Add(Member());
                continue;
            }
            all.Add(AnyOf(members));
            members = [];
        }
        _depth--;
        all.Add(AnyOf(members));
        return Negated(AllOf(all), negated);
    }

    private static Predicate<int> AnyOf(List<Predicate<int>> members)
    {
        Predicate<int>[] any = [.. members];
        return c =>
        {
            foreach (Predicate<int> one in any)
                if (one(c)) return true;
            return false;
        };
    }

    private static Predicate<int> AllOf(List<Predicate<int>> members)
    {
        if (members.Count == 1) return members[0];
        Predicate<int>[] all = [.. members];
        return c => Array.TrueForAll(all, one => one(c));
    }

    private Predicate<int> Member()
    {
        if (TryTake("[:")) return Posix();
        if (TryTake('[')) return Set();
        Predicate<int> member = One(out int low, inSet: true);
        if (low >= 0 && Next + 1 < source.Length && source[Next] == '-' && source[Next + 1] != ']')
        {
            Next++;
            One(out int high, inSet: true);
            if (high < low) throw Unsupported("a range from high to low");
            member = c => c >= low && c <= high;
        }
        return Cased(member);
    }

    // [:alpha:], [:^alpha:]
    private Predicate<int> Posix()
    {
        bool negated = TryTake('^');
        int close = source.IndexOf(":]", Next, StringComparison.Ordinal);
        if (close < 0 || RegexClasses.Posix(source[Next..close]) is not { } posix) throw Unsupported("this kind of class");
        Next = close + 2;
        return Cased(Negated(posix, negated));
    }

    // A character (which it gives) or an escaped class (−1).
    private Predicate<int> One(out int character, bool inSet)
    {
        if (Next == source.Length) throw Unsupported("its end where a character must be");
        if (TryTake('\\')) return Escaped(out character, inSet);
        int codePoint = CodePoints.At(source, Next, out int length);
        Next += length;
        character = codePoint;
        return c => c == codePoint;
    }

    private Predicate<int> Escaped(out int character, bool inSet)
    {
        if (Next == source.Length) throw Unsupported("a \\ at its end");
        char c = source[Next++];
        character = c switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'f' => '\f', 'v' => '\v', 'a' => '\a', 'e' => 0x1B, 'b' when inSet => '\b', _ => -1 };
        switch (c)
        {
            case 'p' or 'P':
                return Property(negated: c == 'P', inSet);
            case 'w' or 'W':
                return Negated(inSet ? RegexClasses.IsWordInSet : RegexClasses.IsWord, c == 'W');
            case 's' or 'S':
                return Negated(RegexClasses.IsSpace, c == 'S');
            case 'd' or 'D':
                return Negated(RegexClasses.IsDigit, c == 'D');
            case 'h' or 'H':
                return Negated(RegexClasses.IsHexDigit, c == 'H');
            case 'u' or 'x':
                character = Hexadecimal(c);
                break;
            case var _ when character < 0 && char.IsAsciiLetterOrDigit(c):
                Next--;
                throw Unsupported($"\\{c}");
            case var _ when character < 0:
                character = c;
                break;
        }
        int escaped = character;
        return found => found == escaped;
    }

    // \u0041, \x41, \x{1F600}
    private int Hexadecimal(char kind)
    {
        int close = kind == 'x' && TryTake('{') ? source.IndexOf('}', Next) : Math.Min(Next + (kind == 'u' ? 4 : 2), source.Length);
        bool whole = kind == 'x' || close - Next == 4;
        ReadOnlySpan<char> digits = whole && close >= 0 ? source.AsSpan(Next, close - Next) : "";
        if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
            throw Unsupported("no hexadecimal number");
        Next = close < source.Length && source[close] == '}' && kind == 'x' ? close + 1 : close;
        return value;
    }

    private Predicate<int> Property(bool negated, bool inSet)
    {
        int close = source.IndexOf('}', Next);
        if (!TryTake('{') || close < 0) throw Unsupported("\\p without {…}");
        if (TryTake('^')) negated = !negated;
        string name = source[Next..close];
        Predicate<int> match = RegexClasses.Property(name, inSet) ?? throw Unsupported($"the property {name}");
        Next = close + 1;
        return Negated(match, negated);
    }

    private Predicate<int> Cased(Predicate<int> match) => IgnoreCase ? RegexClasses.InAnyCase(match) : match;

    private static Predicate<int> Negated(Predicate<int> match, bool negated) => negated ? c => !match(c) : match;
}
