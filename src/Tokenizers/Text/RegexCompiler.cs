using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Compiles the regular expressions of tokenizer.json: the part of Oniguruma's syntax that tokenizers use.</summary>
internal sealed class RegexCompiler(string source, string path)
{
    // Groups and classes are read by recursion, which a hostile pattern must not exhaust.
    internal const int DeepestNesting = 100;

    // Of GPT-4o's pattern, one of the longest, an eighth.
    private const int LongestSource = 4096;

    // Repeated groups are written out; a hostile count must not cost memory.
    private const int MostInstructions = 1000;

    private readonly CharacterClassReader _classes = new(source, path);

    // Jumps are relative: First and Second count from the instruction itself; so parts can be moved and copied.
    private readonly List<Instruction> _program = [];
    private int _inLooks;       // instructions of looks, which are programs of their own
    private int _depth;

    /// <summary>How many classes were read; what is repeated has one.</summary>
    public int Classes { get; private set; }

    /// <exception cref="TokenizerException">It is too long, is no expression, or has what is not supported.</exception>
    public Instruction[] Compile()
    {
        if (source.Length > LongestSource)
            throw new TokenizerException($"{path} is {Vocabulary.Show(source)}, of {source.Length} characters; at most {LongestSource} are possible.");
        Alternatives();
        if (_classes.Next < source.Length) throw _classes.Unsupported("a ) without a (");
        return [.. _program, new Instruction(Kind.Match)];
    }

    // Every part of the expression is written to the end of the program.
    private void Alternatives()
    {
        if (++_depth > DeepestNesting) throw _classes.Unsupported($"groups nested more than {DeepestNesting} deep");
        int begin = _program.Count;
        var jumps = new List<int>();
        Sequence(possessive: false, out _);
        while (_classes.TryTake('|'))
        {
            Insert(begin, Fork(1, _program.Count - begin + 2));
            jumps.Add(_program.Count);
            begin = _program.Count + 1;
            Add(Jump(0));           // to the end of all, which is not known yet
            Sequence(possessive: false, out _);
        }
        foreach (int jump in jumps) _program[jump] = Jump(_program.Count - jump);
        _depth--;
    }

    private void Sequence(bool possessive, out int parts)
    {
        for (parts = 0; _classes.Next < source.Length && source[_classes.Next] is not ('|' or ')'); parts++)
        {
            int begin = _program.Count;
            Atom();
            if (TryRepeat(begin, possessive) && _classes.TryReadCount(out _, out _, out _)) throw _classes.Unsupported("a quantifier behind another");
        }
    }

    private void Atom()
    {
        if (_classes.TryTake('(')) Group();
        else if (_classes.TryTake('^')) Add(new Instruction(Kind.LineStart));
        else if (_classes.TryTake('$')) Add(new Instruction(Kind.NotAhead, c => c != '\n'));
        else if (_classes.TryTake(@"\A")) Add(new Instruction(Kind.NotBehind, _ => true));
        else if (_classes.TryTake(@"\z")) Add(new Instruction(Kind.NotAhead, _ => true));
        else if (_classes.TryTake(@"\Z")) TextEnd();
        else if (_classes.TryTake(@"\b")) Add(new Instruction(Kind.Boundary));
        else if (_classes.TryTake(@"\B")) Add(new Instruction(Kind.NotBoundary));
        else if (_classes.TryTake(@"\R")) LineEnd();
        else Add(Taking(_classes.Read()));
    }

    // The end, or a line end that is the last.
    private void TextEnd()
    {
        int begin = _program.Count;
        Add(Fork(1, 2), Taking(c => c == '\n'), new Instruction(Kind.NotAhead, _ => true));
        MakeLook(Kind.AheadOf, begin);
    }

    // \r\n whole, or one of the characters that end a line.
    private void LineEnd() => Add(
        Fork(1, 4), Taking(c => c == '\r'), Taking(c => c == '\n'), Jump(6),
        Fork(1, 4), Taking(c => c == '\r'), new Instruction(Kind.NotAhead, c => c == '\n'), Jump(2),
        Taking(c => c is (>= '\n' and <= '\f') or 0x85 or 0x2028 or 0x2029));

    private void Group()
    {
        (bool ignoreCase, bool dotTakesAll) = (_classes.IgnoreCase, _classes.DotTakesAll);
        bool rest = false;
        if (Look() is Kind look)
        {
            int begin = _program.Count;
            Alternatives();
            MakeLook(look, begin);
        }
        else if (_classes.TryTake("?>"))
        {
            Atomic();
        }
        else
        {
            // Options without a group, (?i), are for all up to the end of the group around them, alternatives included. Its ) is left.
            if (_classes.TryTake("?<")) _classes.SkipName();
            else rest = !_classes.TryTake("?:") && _classes.TryTake('?') && _classes.ReadOptions();
            Alternatives();
        }
        if (!rest && !_classes.TryTake(')')) throw _classes.Unsupported("a ( without a )");
        (_classes.IgnoreCase, _classes.DotTakesAll) = (ignoreCase, dotTakesAll);
    }

    private Kind? Look() => _classes.TryTake("?=") ? Kind.AheadOf : _classes.TryTake("?!") ? Kind.NotAheadOf
        : _classes.TryTake("?<=") ? Kind.BehindOf : _classes.TryTake("?<!") ? Kind.NotBehindOf : null;

    // What was written from a place on becomes what a look asks for. A look at one character needs no program of its own.
    private void MakeLook(Kind kind, int begin)
    {
        Instruction[] inside = [.. _program[begin..]];
        _program.RemoveRange(begin, inside.Length);
        if (inside is [{ Kind: Kind.Take, Class: { } one }])
        {
            Add(new Instruction(kind - Kind.BehindOf + Kind.Behind, one));
            return;
        }
        bool behind = kind is Kind.BehindOf or Kind.NotBehindOf;
        if (behind && inside.Any(instruction => instruction.Kind == Kind.Again)) throw _classes.Unsupported("a look behind without a longest match");
        int longest = inside.Count(instruction => instruction.Kind == Kind.Take);
        _inLooks += inside.Length;
        Add(new Instruction(kind, First: longest, Program: [.. inside, new Instruction(Kind.Match)]));
    }

    // (?>…): ways do not stop inside each other here, so that only what has one way, or a run of one class, can be told.
    private void Atomic()
    {
        bool group = _classes.Next < source.Length && source[_classes.Next] == '(';
        int begin = _program.Count;
        Sequence(possessive: true, out int parts);
        bool oneWay = (parts == 1 && !group) || _program.FindIndex(begin, instruction => instruction.Kind == Kind.Fork) < 0;
        if ((_classes.Next < source.Length && source[_classes.Next] == '|') || !oneWay)
            throw _classes.Unsupported("an atomic group of more than one class with a quantifier");
    }

    // Reads the quantifier of the part that was written from a place on, if it has one.
    private bool TryRepeat(int begin, bool possessive)
    {
        if (!_classes.TryReadCount(out int least, out int? most, out bool inBraces)) return false;
        if (inBraces)
        {
            // {2}? is at most once, {1,3}+ any number of times; only Perl's are lazy and possessive.
            bool lazy = !possessive && least != most && _classes.TryTake('?');
            Repeat(begin, least, most, lazy, possessive);
            if (_classes.TryTake('?')) Repeat(begin, 0, 1, lazy: false, possessive);
            else if (_classes.TryTake('+')) Repeat(begin, 1, null, lazy: false, possessive);
            return true;
        }
        bool plus = _classes.TryTake('+'), reluctant = !plus && _classes.TryTake('?');
        if (reluctant && possessive) throw _classes.Unsupported("a lazy quantifier in an atomic group");
        Repeat(begin, least, most, reluctant, plus || possessive);
        return true;
    }

    // Possessive: where another could be taken, there is no way on.
    private void Repeat(int begin, int least, int? most, bool lazy, bool possessive)
    {
        int length = _program.Count - begin, tail = possessive ? 2 : 0;
        if (possessive && (length != 1 || _program[begin].Kind != Kind.Take)) throw _classes.Unsupported("a possessive quantifier of more than one class");
        if (length == 0) return;
        Instruction stop = possessive ? new Instruction(Kind.NotAhead, _program[begin].Class) : default;
        long optional = most is null ? length + 3 : ((long)most - least) * (length + 1 + tail);
        RequireRoom(((least - 1L) * length) + optional);

        int part = begin;
        for (int i = 1; i < least; i++) Copy(part, length);
        if (most is null)
        {
            // Either the part and back to here, or on.
            Optional(Either(length + 2, lazy));
            Add(new Instruction(Kind.Again, First: -length - 1, Second: 1));
            if (possessive) Add(stop);
            return;
        }
        for (int more = most.Value - least - 1; more >= 0; more--)
        {
            int rest = more * (length + 1 + tail);
            Optional(possessive ? Fork(1, length + rest + 2) : Either(length + rest + 1, lazy));
        }
        for (int i = least; possessive && i < most; i++) Add(Jump(2), stop);
        if (most == 0) _program.RemoveRange(begin, length);

        // The part with a choice before it. The first may be the one that is there.
        void Optional(Instruction choice)
        {
            if (least == 0 && part == begin)
            {
                Insert(part++, choice);
                return;
            }
            Add(choice);
            Copy(part, length);
        }
    }

    private void Copy(int part, int length)
    {
        for (int i = 0; i < length; i++) Add(_program[part + i]);
    }

    private void Add(params ReadOnlySpan<Instruction> part)
    {
        RequireRoom(part.Length);
        _program.AddRange(part);
    }

    private void Insert(int at, Instruction one)
    {
        RequireRoom(1);
        _program.Insert(at, one);
    }

    private void RequireRoom(long more)
    {
        if (_program.Count + _inLooks + more > MostInstructions) throw _classes.Unsupported($"repeats that make more than {MostInstructions} steps of it");
    }

    private Instruction Taking(Predicate<int> one) => new(Kind.Take, one, Second: Classes++);

    private static Instruction Either(int past, bool lazy) => lazy ? Fork(past, 1) : Fork(1, past);

    private static Instruction Fork(int first, int second) => new(Kind.Fork, First: first, Second: second);

    private static Instruction Jump(int to) => Fork(to, to);
}
