namespace ManagedTransformers.Tokenizers;

/// <summary>A regular expression over code points: leftmost match, alternatives in order, as a backtracking engine finds it, but never in exponential
/// time.</summary>
/// <remarks>Pike's simulation: all ways to match go over the text side by side, the preferred one first (Cox, "Regular Expression Matching: the Virtual
/// Machine Approach", 2009). Groups are not captured, so that no way is kept twice. .NET's own engine works on UTF-16 units, where no letter beyond U+FFFF is
/// a <c>\p{L}</c>.</remarks>
internal sealed class RegexPattern : TextPattern
{
    private readonly Instruction[] _program;
    private readonly string _source, _path;

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="TokenizerException">It is not one, or has what is not supported.</exception>
    public RegexPattern(string source, string path) =>
        (_program, _source, _path) = (new RegexCompiler(source, path).Compile(), source, path);

    internal enum Kind
    {
        /// <summary>Takes a character of the class.</summary>
        Take,

        /// <summary>Goes on in two places, the first preferred.</summary>
        Fork,

        /// <summary>Asks for a character of the class before this place.</summary>
        Behind,

        /// <summary>Asks for one after it.</summary>
        Ahead,

        /// <summary>Asks that none of the class be before it.</summary>
        NotBehind,

        /// <summary>Asks that none of the class be after it.</summary>
        NotAhead,

        /// <summary>The end.</summary>
        Match,
    }

    internal readonly record struct Instruction(Kind Kind, Predicate<int>? Class = null, int First = 0, int Second = 0);

    public override TextPattern ForOneText() => ForOneText(patience: 8);

    internal RegexSearch ForOneText(int patience) => new(this, _program, $"{_path} is \"{_source}\"") { Patience = patience };

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end) => TryFind(text, from, out start, out end, out _);

    /// <param name="text">The text.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="read">How far the text was read to know that.</param>
    /// <inheritdoc cref="TryFind(ReadOnlySpan{char}, int, out int, out int)"/>
    internal bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out int read)
    {
        var (now, next) = (new Threads(_program.Length), new Threads(_program.Length));
        (start, end) = (-1, -1);
        int i = from;
        while (true)
        {
            if (start < 0) Follow(now, 0, i, text, i);
            if (now.Count == 0 && start >= 0) break;
            int length = 0;
            int codePoint = i < text.Length ? CodePoints.At(text, i, out length) : -1;
            for (int t = 0; t < now.Count; t++)
            {
                (int at, int began) = now[t];
                Instruction instruction = _program[at];
                if (instruction.Kind == Kind.Match)
                {
                    (start, end) = (began, i);
                    break;          // the others are less preferred
                }
                if (codePoint >= 0 && instruction.Class!(codePoint)) Follow(next, at + 1, began, text, i + length);
            }
            if (i >= text.Length) break;
            i += length;
            (now, next) = (next, now);
            next.Clear();
        }
        read = i;
        return start >= 0;
    }

    // Goes on from an instruction up to those that take a character.
    private void Follow(Threads threads, int at, int began, ReadOnlySpan<char> text, int i)
    {
        while (threads.Visit(at))
        {
            Instruction instruction = _program[at];
            switch (instruction.Kind)
            {
                case Kind.Fork:
                    Follow(threads, at + instruction.First, began, text, i);
                    at += instruction.Second;
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

    internal static bool Holds(Instruction instruction, ReadOnlySpan<char> text, int i) => instruction.Kind switch
    {
        Kind.Behind => i > 0 && instruction.Class!(CodePoints.Before(text, i)),
        Kind.Ahead => i < text.Length && instruction.Class!(CodePoints.At(text, i, out _)),
        Kind.NotBehind => i == 0 || !instruction.Class!(CodePoints.Before(text, i)),
        _ => i == text.Length || !instruction.Class!(CodePoints.At(text, i, out _)),
    };

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

        public void Add(int at, int began) => _threads[Count++] = (at, began);

        public void Clear()
        {
            Count = 0;
            Array.Clear(_visited);
        }
    }
}
