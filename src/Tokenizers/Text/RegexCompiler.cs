using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Compiles the regular expressions of tokenizer.json: the part of Oniguruma's syntax that tokenizers use.</summary>
internal sealed class RegexCompiler(string source, string path)
{
    // Groups and classes are read by recursion, which a hostile pattern must not exhaust.
    internal const int DeepestNesting = 100;

    // Repeated groups are written out; a hostile count must not cost memory.
    private const int MostInstructions = 2000;

    private readonly CharacterClassReader _classes = new(source, path);
    private int _depth;

    public Instruction[] Compile()
    {
        List<Instruction> program = Alternatives();
        if (_classes.Next < source.Length) throw _classes.Unsupported("a ) without a (");
        program.Add(new Instruction(Kind.Match));
        return [.. program];
    }

    // Jumps are relative while parts are put together: First and Second count from the instruction itself; so parts can be copied.
    private List<Instruction> Alternatives()
    {
        if (++_depth > DeepestNesting) throw _classes.Unsupported($"groups nested more than {DeepestNesting} deep");
        List<List<Instruction>> all = [Sequence(possessive: false, out _)];
        while (_classes.TryTake('|')) all.Add(Sequence(possessive: false, out _));
        _depth--;
        List<Instruction> joined = all[^1];
        for (int i = all.Count - 2; i >= 0; i--)
        {
            List<Instruction> either = all[i];
            joined = Limited([Fork(1, either.Count + 2), .. either, Jump(joined.Count + 1), .. joined]);
        }
        return joined;
    }

    private List<Instruction> Sequence(bool possessive, out int parts)
    {
        var sequence = new List<Instruction>();
        for (parts = 0; _classes.Next < source.Length && source[_classes.Next] is not ('|' or ')'); parts++)
        {
            sequence.AddRange(Repeated(Atom(), possessive, out bool quantified));
            if (quantified && _classes.TryReadCount(out _, out _, out _)) throw _classes.Unsupported("a quantifier behind another");
            Limited(sequence);
        }
        return sequence;
    }

    private List<Instruction> Atom()
    {
        if (_classes.TryTake('(')) return Group();
        if (_classes.TryTake('^')) return [new Instruction(Kind.LineStart)];
        if (_classes.TryTake('$')) return [new Instruction(Kind.NotAhead, c => c != '\n')];
        if (_classes.TryTake(@"\A")) return [new Instruction(Kind.NotBehind, _ => true)];
        if (_classes.TryTake(@"\z")) return [new Instruction(Kind.NotAhead, _ => true)];
        if (_classes.TryTake(@"\Z")) return [Look(Kind.AheadOf, [Fork(1, 2), Taking(c => c == '\n'), new Instruction(Kind.NotAhead, _ => true)])];
        if (_classes.TryTake(@"\b")) return [new Instruction(Kind.Boundary)];
        if (_classes.TryTake(@"\B")) return [new Instruction(Kind.NotBoundary)];
        return _classes.TryTake(@"\R") ? LineEnd() : [Taking(_classes.Read())];
    }

    // \r\n whole, or one of the characters that end a line.
    private static List<Instruction> LineEnd() =>
    [
        Fork(1, 4), Taking(c => c == '\r'), Taking(c => c == '\n'), Jump(6),
        Fork(1, 4), Taking(c => c == '\r'), new Instruction(Kind.NotAhead, c => c == '\n'), Jump(2),
        Taking(c => c is (>= '\n' and <= '\f') or 0x85 or 0x2028 or 0x2029),
    ];

    private List<Instruction> Group()
    {
        (bool ignoreCase, bool dotTakesAll) = (_classes.IgnoreCase, _classes.DotTakesAll);
        List<Instruction> inside;
        if (Look() is Kind look)
        {
            inside = [Look(look, Alternatives())];
        }
        else if (_classes.TryTake("?>"))
        {
            inside = Atomic();
        }
        else
        {
            if (_classes.TryTake("?<")) _classes.SkipName();
            else if (!_classes.TryTake("?:") && _classes.TryTake('?') && _classes.ReadOptions()) return Rest(ignoreCase, dotTakesAll);
            inside = Alternatives();
        }
        if (!_classes.TryTake(')')) throw _classes.Unsupported("a ( without a )");
        (_classes.IgnoreCase, _classes.DotTakesAll) = (ignoreCase, dotTakesAll);
        return inside;
    }

    // What options without a group, (?i), count for: all up to the end of the group around them, alternatives included. Its ) is left.
    private List<Instruction> Rest(bool ignoreCase, bool dotTakesAll)
    {
        List<Instruction> rest = Alternatives();
        (_classes.IgnoreCase, _classes.DotTakesAll) = (ignoreCase, dotTakesAll);
        return rest;
    }

    private Kind? Look() => _classes.TryTake("?=") ? Kind.AheadOf : _classes.TryTake("?!") ? Kind.NotAheadOf
        : _classes.TryTake("?<=") ? Kind.BehindOf : _classes.TryTake("?<!") ? Kind.NotBehindOf : null;

    // A look at one character needs no program of its own.
    private Instruction Look(Kind kind, List<Instruction> inside)
    {
        if (inside is [{ Kind: Kind.Take, Class: { } one }]) return new Instruction(kind - Kind.BehindOf + Kind.Behind, one);
        bool behind = kind is Kind.BehindOf or Kind.NotBehindOf;
        if (behind && inside.Exists(instruction => instruction.Kind == Kind.Again)) throw _classes.Unsupported("a look behind without a longest match");
        int longest = inside.Count(instruction => instruction.Kind == Kind.Take);
        return new Instruction(kind, First: longest, Program: [.. inside, new Instruction(Kind.Match)]);
    }

    // (?>…): ways do not stop inside each other here, so that only what has one way, or a run of one class, can be told.
    private List<Instruction> Atomic()
    {
        bool group = _classes.Next < source.Length && source[_classes.Next] == '(';
        List<Instruction> inside = Sequence(possessive: true, out int parts);
        bool oneWay = (parts == 1 && !group) || !inside.Exists(instruction => instruction.Kind == Kind.Fork);
        if ((_classes.Next < source.Length && source[_classes.Next] == '|') || !oneWay)
            throw _classes.Unsupported("an atomic group of more than one class with a quantifier");
        return inside;
    }

    private List<Instruction> Repeated(List<Instruction> part, bool possessive, out bool quantified)
    {
        quantified = _classes.TryReadCount(out int least, out int? most, out bool inBraces);
        if (!quantified) return part;
        if (inBraces)
        {
            // {2}? is at most once, {1,3}+ any number of times; only Perl's are lazy and possessive.
            bool lazy = !possessive && least != most && _classes.TryTake('?');
            List<Instruction> counted = Times(part, least, most, lazy, possessive);
            if (_classes.TryTake('?')) return Times(counted, 0, 1, lazy: false, possessive);
            return _classes.TryTake('+') ? Times(counted, 1, null, lazy: false, possessive) : counted;
        }
        if (_classes.TryTake('+')) return Times(part, least, most, lazy: false, possessive: true);
        bool reluctant = _classes.TryTake('?');
        if (reluctant && possessive) throw _classes.Unsupported("a lazy quantifier in an atomic group");
        return Times(part, least, most, reluctant, possessive);
    }

    private List<Instruction> Times(List<Instruction> part, int least, int? most, bool lazy, bool possessive)
    {
        if (possessive && part is not [{ Kind: Kind.Take }]) throw _classes.Unsupported("a possessive quantifier of more than one class");
        // Possessive: where another could be taken, there is no way on.
        List<Instruction> stop = possessive ? [new Instruction(Kind.NotAhead, part[0].Class)] : [];
        var repeated = new List<Instruction>();
        for (int i = 0; i < least; i++) Limited(repeated).AddRange(part);
        if (most is null)
        {
            // Either the part and back to here, or on.
            repeated.AddRange([Either(part.Count + 2, lazy), .. part, new Instruction(Kind.Again, First: -part.Count - 1, Second: 1), .. stop]);
            return Limited(repeated);
        }
        List<Instruction> optional = [];
        for (int i = least; i < most; i++)
        {
            optional = possessive
                ? Limited([Fork(1, part.Count + optional.Count + 2), .. part, .. optional, Jump(2), .. stop])
                : Limited([Either(part.Count + optional.Count + 1, lazy), .. part, .. optional]);
        }
        return Limited([.. repeated, .. optional]);
    }

    private static Instruction Taking(Predicate<int> one) => new(Kind.Take, one);

    private static Instruction Either(int past, bool lazy) => lazy ? Fork(past, 1) : Fork(1, past);

    private static Instruction Fork(int first, int second) => new(Kind.Fork, First: first, Second: second);

    private static Instruction Jump(int to) => Fork(to, to);

    private List<Instruction> Limited(List<Instruction> part) =>
        part.Count <= MostInstructions ? part : throw _classes.Unsupported($"repeats that make more than {MostInstructions} steps of it");
}
