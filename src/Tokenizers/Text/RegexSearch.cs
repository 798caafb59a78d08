using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>All matches of a regular expression in one text, in linear time: <c>a.*b|a</c> would read a text of a's to its end for each of them. Once much was
/// read in vain, the text is read backwards once, noting from which instructions the end can be reached; then no way leads nowhere.</summary>
/// <remarks>What is noted is kept for a block of places at a time, and for the end of each block, from which the block is read again when the search comes to
/// it.</remarks>
internal sealed class RegexSearch(RegexPattern pattern) : TextPattern
{
    private const int Block = 4096;

    private readonly Instruction[] _program = pattern.Program;
    private readonly RegexMatcher _matcher = new(pattern);
    private long _vain;
    private RegexBackwards? _backwards;
    private int _first;              // the first place of the first block
    private int _block;              // the block that the rows are of
    private ulong[] _rows = [];      // [Block, words]: a bit for each instruction from which the end can be reached there
    private (int Next, ulong[] After)[] _ends = [];      // per block the place after it, and its row
    private readonly Stack<int> _open = new();
    private int[] _visited = [];     // per instruction: in which step it was passed last
    private int _step;

    /// <summary>How often the text may be read in vain before it is read backwards.</summary>
    public required int Patience { get; init; }

    /// <summary>The leftmost match from a place on; places of later calls are later ones.</summary>
    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        if (_backwards is null && _vain <= (long)Patience * text.Length)
        {
            bool found = _matcher.TryFind(text, from, out start, out end, out int read);
            _vain += found ? read - end : 0;
            return found;
        }
        if (_backwards is null) ReadBackwards(text, from);
        (start, end) = (from, -1);
        while (start < text.Length && !Reaches(0, text, start)) start += LengthAt(text, start);
        if (!Reaches(0, text, start)) return false;
        int at = 0;
        for (end = start; (at = NextTake(at, text, end)) >= 0; at++) end += LengthAt(text, end);
        return true;
    }

    private static int LengthAt(ReadOnlySpan<char> text, int i)
    {
        CodePoints.At(text, i, out int length);
        return length;
    }

    private bool Reaches(int at, ReadOnlySpan<char> text, int place)
    {
        int block = (place - _first) / Block;
        if (block != _block) ReadBlock(text, block);
        return (RowOf(place)[at / 64] >> (at % 64) & 1) != 0;
    }

    private Span<ulong> RowOf(int place) => _rows.AsSpan((place - _first) % Block * _backwards!.Words, _backwards.Words);

    // The preferred instruction that takes the character at a place, of those that follow without taking one and lead to the end; −1: the end itself.
    private int NextTake(int from, ReadOnlySpan<char> text, int place)
    {
        _step++;
        _open.Clear();
        _open.Push(from);
        while (_open.TryPop(out int at))
        {
            if (_visited[at] == _step || !Reaches(at, text, place)) continue;
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
        _backwards = new RegexBackwards(_program, _matcher);
        (_first, _visited, _rows) = (from, new int[_program.Length], new ulong[Block * _backwards.Words]);
        _ends = new (int, ulong[])[((text.Length - from) / Block) + 1];
        _ends[^1] = (text.Length + 1, new ulong[_backwards.Words]);
        for (int block = _ends.Length - 1; block >= 0; block--)
        {
            int lowest = ReadBlock(text, block);
            if (block > 0) _ends[block - 1] = (lowest, RowOf(lowest).ToArray());
        }
    }

    // Fills the rows with those of a block; gives its first place.
    private int ReadBlock(ReadOnlySpan<char> text, int block)
    {
        _block = block;
        Array.Clear(_rows);
        (int next, ulong[] end) = _ends[block];
        ReadOnlySpan<ulong> after = end;
        while (true)
        {
            int i = next > text.Length ? text.Length : RegexBackwards.Before(text, next);
            if (i < _first + (block * Block)) return next;
            _backwards!.Read(text, i, after, RowOf(i));
            next = i;
            after = RowOf(i);
        }
    }
}
