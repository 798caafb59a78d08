using System.Numerics;
using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Reads a text from its end, and says of each place from which instructions of a program its end can be reached there: a bit for each.</summary>
/// <param name="program">The instructions.</param>
/// <param name="matcher">Knows what looks find in the text.</param>
internal sealed class RegexBackwards(Instruction[] program, RegexMatcher matcher)
{
    private readonly List<int>[] _before = Predecessors(program);
    private readonly Stack<int> _open = new();

    /// <summary>Of the bits of a place.</summary>
    public int Words { get; } = (program.Length + 63) / 64;

    /// <summary>The place before another; −1 before the first.</summary>
    public static int Before(ReadOnlySpan<char> text, int i) => i - (i > 1 && char.IsSurrogatePair(text[i - 2], text[i - 1]) ? 2 : 1);

    /// <summary>Sets the bits of a place, which are 0, from those of the place after it.</summary>
    public void Read(ReadOnlySpan<char> text, int i, ReadOnlySpan<ulong> after, Span<ulong> here)
    {
        _open.Push(program.Length - 1);                                               // the end
        int codePoint = i < text.Length ? CodePoints.At(text, i, out _) : -1;
        for (int w = 0; i < text.Length && w < Words; w++)
        {
            for (ulong rest = after[w]; rest != 0; rest &= rest - 1)
            {
                int at = (64 * w) + BitOperations.TrailingZeroCount(rest) - 1;
                if (at >= 0 && program[at].Kind == Kind.Take && matcher.Takes(program[at], codePoint, i)) _open.Push(at);
            }
        }
        while (_open.TryPop(out int at))
        {
            ulong bit = 1UL << (at % 64);
            if ((here[at / 64] & bit) != 0) continue;
            here[at / 64] |= bit;
            foreach (int earlier in _before[at])
                if (program[earlier].Kind is Kind.Fork or Kind.Again || matcher.Holds(program[earlier], text, i)) _open.Push(earlier);
        }
    }

    // For each instruction those that lead to it without taking a character.
    private static List<int>[] Predecessors(Instruction[] program)
    {
        List<int>[] before = [.. program.Select(_ => new List<int>())];
        for (int at = 0; at < program.Length; at++)
        {
            if (program[at].Kind is Kind.Fork or Kind.Again)
            {
                before[at + program[at].First].Add(at);
                before[at + program[at].Second].Add(at);
            }
            else if (program[at].Kind is not (Kind.Take or Kind.Match))
            {
                before[at + 1].Add(at);
            }
        }
        return before;
    }
}
