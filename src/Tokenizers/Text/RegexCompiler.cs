using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Compiles the regular expressions of tokenizer.json: the part of Oniguruma's syntax that tokenizers use.</summary>
internal sealed class RegexCompiler(string source, string path)
{
    // Repeated groups are written out; a hostile count must not cost memory.
    private const int MostInstructions = 2000;
    private const int DeepestNesting = 100;

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
        List<List<Instruction>> all = [Sequence()];
        while (_classes.TryTake('|')) all.Add(Sequence());
        _depth--;
        List<Instruction> joined = all[^1];
        for (int i = all.Count - 2; i >= 0; i--)
        {
            List<Instruction> either = all[i];
            joined = Limited([Fork(1, either.Count + 2), .. either, Jump(joined.Count + 1), .. joined]);
        }
        return joined;
    }

    private List<Instruction> Sequence()
    {
        var sequence = new List<Instruction>();
        while (_classes.Next < source.Length && source[_classes.Next] is not ('|' or ')'))
        {
            sequence.AddRange(Repeated(Atom()));
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
        return [new Instruction(Kind.Take, _classes.Read())];
    }

    private List<Instruction> Group()
    {
        Kind? looks = _classes.TryTake("?=") ? Kind.Ahead : _classes.TryTake("?!") ? Kind.NotAhead
            : _classes.TryTake("?<=") ? Kind.Behind : _classes.TryTake("?<!") ? Kind.NotBehind : null;
        bool ignoreCase = _classes.IgnoreCase;
        List<Instruction> inside;
        if (looks is Kind look)
        {
            inside = [new Instruction(look, _classes.Read())];      // one character is what tokenizers look at
        }
        else
        {
            if (_classes.TryTake("?i:")) _classes.IgnoreCase = true;
            else if (!_classes.TryTake("?:") && _classes.Next < source.Length && source[_classes.Next] == '?') throw _classes.Unsupported("this kind of group");
            inside = Alternatives();
        }
        if (!_classes.TryTake(')'))
            throw _classes.Unsupported(looks is null ? "a ( without a )" : "a look at more than one character");
        _classes.IgnoreCase = ignoreCase;
        return inside;
    }

    private List<Instruction> Repeated(List<Instruction> part)
    {
        if (!_classes.TryReadCount(out int least, out int? most)) return part;
        bool lazy = _classes.TryTake('?');
        if (_classes.TryTake('+')) throw _classes.Unsupported("a possessive quantifier");
        var repeated = new List<Instruction>();
        for (int i = 0; i < least; i++) Limited(repeated).AddRange(part);
        if (most is null)
        {
            // Either the part and back to here, or on.
            repeated.AddRange([Either(part.Count + 2, lazy), .. part, new Instruction(Kind.Again, First: -part.Count - 1, Second: 1)]);
            return Limited(repeated);
        }
        List<Instruction> optional = [];
        for (int i = least; i < most; i++) optional = Limited([Either(part.Count + optional.Count + 1, lazy), .. part, .. optional]);
        return Limited([.. repeated, .. optional]);
    }

    private static Instruction Either(int past, bool lazy) => lazy ? Fork(past, 1) : Fork(1, past);

    private static Instruction Fork(int first, int second) => new(Kind.Fork, First: first, Second: second);

    private static Instruction Jump(int to) => Fork(to, to);

    private List<Instruction> Limited(List<Instruction> part) =>
        part.Count <= MostInstructions ? part : throw _classes.Unsupported($"repeats that make more than {MostInstructions} steps of it");
}
