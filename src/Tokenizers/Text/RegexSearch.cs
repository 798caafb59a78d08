using System.Numerics;
using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>All matches of a regular expression in one text, in linear time: <c>a.*b|a</c> would read a text of a's to its end for each of them. Once much was
/// read in vain, the text is read backwards once, noting from which instructions the end can be reached at each place; then no way leads nowhere.</summary>
/// <param name="pattern">The expression.</param>
/// <param name="name">What messages call it.</param>
internal sealed class RegexSearch(RegexPattern pattern, string name) : TextPattern
{
    private const int MostWords = 1 << 24;       // of a table

    private readonly Instruction[] _program = pattern.Program;
    private readonly RegexMatcher _matcher = new(pattern.Program, name);
    private readonly int _words = (pattern.Program.Length + 63) / 64;
    private long _vain;
    private ulong[]? _reaches;       // [places, _words]: a bit for each instruction from which the end can be reached there
    private int _first;              // the first place of the table
    private readonly Stack<int> _open = new();
    private int[] _visited = [];     // per instruction: in which step it was passed last
    private int _step;

    /// <summary>How often the text may be read in vain before it is read backwards.</summary>
    public required int Patience { get; init; }

    /// <summary>The leftmost match from a place on; places of later calls are later ones.</summary>
    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        if (_reaches is null && _vain <= (long)Patience * text.Length)
        {
            bool found = _matcher.TryFind(text, from, out start, out end, out int read);
            _vain += found ? read - end : 0;
            return found;
        }
        if (_reaches is null) ReadBackwards(text, from);
        (start, end) = (from, -1);
        while (start < text.Length && !Reaches(0, start)) start += LengthAt(text, start);
        if (!Reaches(0, start)) return false;
        int at = 0;
        for (end = start; (at = NextTake(at, end)) >= 0; at++) end += LengthAt(text, end);
        return true;
    }

    private static int LengthAt(ReadOnlySpan<char> text, int i)
    {
        CodePoints.At(text, i, out int length);
        return length;
    }

    private bool Reaches(int at, int place) => (_reaches![((place - _first) * _words) + (at / 64)] >> (at % 64) & 1) != 0;

    // The preferred instruction that takes the character at a place, of those that follow without taking one and lead to the end; −1: the end itself.
    private int NextTake(int from, int place)
    {
        _step++;
        _open.Clear();
        _open.Push(from);
        while (_open.TryPop(out int at))
        {
            if (_visited[at] == _step || !Reaches(at, place)) continue;
            _visited[at] = _step;
            Instruction instruction = _program[at];
            if (instruction.Kind == Kind.Match) return -1;
            if (instruction.Kind == Kind.Take) return at;
            if (instruction.Kind == Kind.Fork)
            {
                _open.Push(at + instruction.Second);
                _open.Push(at + instruction.First);
            }
            else if (instruction.Kind == Kind.Again)
            {
                _open.Push(at + (_visited[at + instruction.First] == _step ? instruction.Second : instruction.First));
            }
            else
            {
                _open.Push(at + 1);
            }
        }
        throw new InvalidOperationException("An instruction that reaches the end leads nowhere.");
    }

    private void ReadBackwards(ReadOnlySpan<char> text, int from)
    {
        if ((long)(text.Length - from + 1) * _words > MostWords)
            throw new TokenizerException($"{name}: its matches in a text of {text.Length} characters take time that grows with the square of the length. " +
                "Give shorter texts, or a pattern that need not read on to know where a match ends.");
        (_first, _visited) = (from, new int[_program.Length]);
        _reaches = new ulong[(text.Length - from + 1) * _words];
        List<int>[] before = Predecessors();
        int next = text.Length;
        for (int i = text.Length; i >= from; i -= i - from > 1 && char.IsSurrogatePair(text[i - 2], text[i - 1]) ? 2 : 1)
        {
            Span<ulong> here = _reaches.AsSpan((i - from) * _words, _words), after = _reaches.AsSpan((next - from) * _words, _words);
            int codePoint = i < text.Length ? CodePoints.At(text, i, out _) : -1;
            _open.Push(_program.Length - 1);                                          // the end
            for (int w = 0; i < text.Length && w < _words; w++)
            {
                for (ulong rest = after[w]; rest != 0; rest &= rest - 1)
                {
                    int at = (64 * w) + BitOperations.TrailingZeroCount(rest) - 1;
                    if (at >= 0 && _program[at].Kind == Kind.Take && _program[at].Class!(codePoint)) _open.Push(at);
                }
            }
            while (_open.TryPop(out int at))
            {
                ulong bit = 1UL << (at % 64);
                if ((here[at / 64] & bit) != 0) continue;
                here[at / 64] |= bit;
                foreach (int earlier in before[at])
                    if (_program[earlier].Kind is Kind.Fork or Kind.Again || _matcher.Holds(_program[earlier], text, i)) _open.Push(earlier);
            }
            next = i;
        }
    }

    // For each instruction those that lead to it without taking a character.
    private List<int>[] Predecessors()
    {
        List<int>[] before = [.. _program.Select(_ => new List<int>())];
        for (int at = 0; at < _program.Length; at++)
        {
            if (_program[at].Kind is Kind.Fork or Kind.Again)
            {
                before[at + _program[at].First].Add(at);
                before[at + _program[at].Second].Add(at);
            }
            else if (_program[at].Kind is not (Kind.Take or Kind.Match))
            {
                before[at + 1].Add(at);
            }
        }
        return before;
    }
}
