using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Finds matches of a regular expression, one at a time.</summary>
/// <remarks>Pike's simulation: all ways to match go over the text side by side, the preferred one first (Cox, "Regular Expression Matching: the Virtual
/// Machine Approach", 2009). Groups are not captured, so that no way is kept twice.</remarks>
/// <param name="program">The instructions of the expression.</param>
/// <param name="name">What messages call it.</param>
internal sealed class RegexMatcher(Instruction[] program, string name)
{
    private readonly Dictionary<Instruction[], (Threads Now, Threads Next)> _looks = [];
    private Threads _now = new(program.Length);
    private Threads _next = new(program.Length);
    private long _looked;       // steps of looks ahead and behind

    /// <summary>The leftmost match from a place on.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="read">How far the text was read to know that.</param>
    /// <exception cref="TokenizerException">Looks at more than one character take too many steps.</exception>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out int read)
    {
        (start, end) = (-1, -1);
        _now.Clear();
        _next.Clear();
        int i = from;
        while (true)
        {
            if (start < 0) Follow(program, _now, 0, i, text, i);
            if (_now.Count == 0 && start >= 0) break;
            int length = 0;
            int codePoint = i < text.Length ? CodePoints.At(text, i, out length) : -1;
            for (int t = 0; t < _now.Count; t++)
            {
                (int at, int began) = _now[t];
                Instruction instruction = program[at];
                if (instruction.Kind == Kind.Match)
                {
                    (start, end) = (began, i);
                    break;          // the others are less preferred
                }
                if (codePoint >= 0 && instruction.Class!(codePoint)) Follow(program, _next, at + 1, began, text, i + length);
            }
            if (i >= text.Length) break;
            i += length;
            (_now, _next) = (_next, _now);
            _next.Clear();
        }
        read = i;
        return start >= 0;
    }

    // Goes on from an instruction up to those that take a character.
    private void Follow(Instruction[] instructions, Threads threads, int at, int began, ReadOnlySpan<char> text, int i)
    {
        while (threads.Visit(at))
        {
            Instruction instruction = instructions[at];
            switch (instruction.Kind)
            {
                case Kind.Fork:
                    Follow(instructions, threads, at + instruction.First, began, text, i);
                    at += instruction.Second;
                    continue;
                case Kind.Again:
                    at += threads.HasVisited(at + instruction.First) ? instruction.Second : instruction.First;
                    continue;
                case Kind.Take or Kind.Match:
                    threads.Add(at, began);
                    return;
                default:
                    if (!Holds(instruction, text, i)) return;
                    at++;
                    continue;
            }
        }
    }

    /// <summary>Does what an instruction that takes nothing asks for hold at a place?</summary>
    public bool Holds(Instruction instruction, ReadOnlySpan<char> text, int i) => instruction.Kind switch
    {
        Kind.Behind => i > 0 && instruction.Class!(CodePoints.Before(text, i)),
        Kind.Ahead => i < text.Length && instruction.Class!(CodePoints.At(text, i, out _)),
        Kind.NotBehind => i == 0 || !instruction.Class!(CodePoints.Before(text, i)),
        Kind.NotAhead => i == text.Length || !instruction.Class!(CodePoints.At(text, i, out _)),
        Kind.BehindOf => EndsAt(instruction, text, i),
        Kind.NotBehindOf => !EndsAt(instruction, text, i),
        Kind.AheadOf => Looks(instruction.Program!, text, i, text.Length, ahead: true),
        Kind.NotAheadOf => !Looks(instruction.Program!, text, i, text.Length, ahead: true),
        Kind.LineStart => i == 0 || (i < text.Length && text[i - 1] == '\n'),
        _ => IsBoundary(text, i) == (instruction.Kind == Kind.Boundary),
    };

    private static bool IsBoundary(ReadOnlySpan<char> text, int i)
    {
        bool before = i > 0 && RegexClasses.IsWord(CodePoints.Before(text, i));
        return before != (i < text.Length && RegexClasses.IsWord(CodePoints.At(text, i, out _)));
    }

    private bool EndsAt(Instruction behind, ReadOnlySpan<char> text, int i)
    {
        int from = i;
        for (int characters = 0; characters < behind.First && from > 0; characters++) from -= char.IsLowSurrogate(text[from - 1]) ? 2 : 1;
        return Looks(behind.Program!, text, from, i, ahead: false);
    }

    // Is there a match that begins at a place (ahead), or one that begins at or after it and ends at another?
    private bool Looks(Instruction[] look, ReadOnlySpan<char> text, int from, int to, bool ahead)
    {
        (Threads now, Threads next) = LookThreads(look);
        now.Clear();
        for (int i = from, length; ; i += length)
        {
            if (i == from || !ahead) Follow(look, now, 0, i, text, i);
            _looked += now.Count + 1;
            if (_looked > LooksOf(text.Length)) throw TooManyLooks(text.Length);
            if ((ahead || i == to) && now.HasVisited(look.Length - 1)) return true;
            if (i == to || (ahead && now.Count == 0)) return false;
            int codePoint = CodePoints.At(text, i, out length);
            next.Clear();
            for (int t = 0; t < now.Count; t++)
            {
                Instruction instruction = look[now[t].At];
                if (instruction.Kind == Kind.Take && instruction.Class!(codePoint)) Follow(look, next, now[t].At + 1, from, text, i + length);
            }
            (now, next) = (next, now);
        }
    }

    private (Threads Now, Threads Next) LookThreads(Instruction[] look)
    {
        if (!_looks.TryGetValue(look, out (Threads, Threads) threads)) _looks.Add(look, threads = (new(look.Length), new(look.Length)));
        return threads;
    }

    // A look that reads far at each place takes quadratic time.
    private static long LooksOf(int length) => (1L << 26) + (100L * length);

    private TokenizerException TooManyLooks(int length) => new(
        $"{name}: what it looks for ahead or behind in a text of {length} characters takes time that grows with the square of the length. "
        + "Give shorter texts, or a pattern whose looks need not read on.");

    /// <summary>The ways to match that are alive at a place, the preferred one first.</summary>
    private sealed class Threads(int size)
    {
        private readonly (int At, int Began)[] _threads = new (int, int)[size];
        private readonly bool[] _visited = new bool[size];

        public int Count { get; private set; }

        public (int At, int Began) this[int index] => _threads[index];

        public bool Visit(int at)
        {
            bool first = !_visited[at];
            _visited[at] = true;
            return first;
        }

        public bool HasVisited(int at) => _visited[at];

        public void Add(int at, int began) => _threads[Count++] = (at, began);

        public void Clear()
        {
            Count = 0;
            Array.Clear(_visited);
        }
    }
}
