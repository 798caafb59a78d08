using System.Collections;
using static ManagedTransformers.Tokenizers.RegexPattern;

namespace ManagedTransformers.Tokenizers;

/// <summary>Finds matches of a regular expression in one text, one at a time.</summary>
/// <remarks>Pike's simulation: all ways to match go over the text side by side, the preferred one first (Cox, "Regular Expression Matching: the Virtual
/// Machine Approach", 2009). Groups are not captured, so that no way is kept twice.</remarks>
/// <param name="pattern">The expression.</param>
internal sealed class RegexMatcher(RegexPattern pattern)
{
    // How often a look may read the text before it reads all of it.
    private const int Patience = 2;

    private readonly Dictionary<Instruction[], Look> _looks = [];
    private readonly Instruction[] _program = pattern.Program;
    private readonly (int Place, bool Takes)[] _taken = new (int, bool)[pattern.Classes];       // of each class: whether it takes the character behind a place
    private Threads _now = new(pattern.Program.Length);
    private Threads _next = new(pattern.Program.Length);

    /// <summary>The leftmost match from a place on.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="read">How far the text was read to know that.</param>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end, out int read)
    {
        (start, end) = (-1, -1);
        _now.Clear();
        _next.Clear();
        int i = from;
        while (true)
        {
            if (start < 0) Follow(_program, _now, 0, i, text, i);
            if (_now.Count == 0 && start >= 0) break;
            int length = 0;
            int codePoint = i < text.Length ? CodePoints.At(text, i, out length) : -1;
            for (int t = 0; t < _now.Count; t++)
            {
                (int at, int began) = _now[t];
                ref readonly Instruction instruction = ref _program[at];
                if (instruction.Kind == Kind.Match)
                {
                    (start, end) = (began, i);
                    break;          // the others are less preferred
                }
                if (codePoint >= 0 && Takes(instruction, codePoint, i)) Follow(_program, _next, at + 1, began, text, i + length);
            }
            if (i >= text.Length) break;
            i += length;
            (_now, _next) = (_next, _now);
            _next.Clear();
        }
        read = i;
        return start >= 0;
    }

    /// <summary>Does an instruction take the character at a place? Where many ask, a class is asked once.</summary>
    public bool Takes(in Instruction take, int codePoint, int place)
    {
        ref (int Place, bool Takes) taken = ref _taken[take.Second];
        if (taken.Place != place + 1) taken = (place + 1, take.Class!(codePoint));
        return taken.Takes;
    }

    // Goes on from an instruction up to those that take a character.
    private void Follow(Instruction[] instructions, Threads threads, int at, int began, ReadOnlySpan<char> text, int i)
    {
        while (threads.Visit(at))
        {
            ref readonly Instruction instruction = ref instructions[at];
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
        Kind.AheadOf => BeginsAt(instruction, text, i),
        Kind.NotAheadOf => !BeginsAt(instruction, text, i),
        Kind.LineStart => i == 0 || (i < text.Length && text[i - 1] == '\n'),
        _ => IsBoundary(text, i) == (instruction.Kind == Kind.Boundary),
    };

    private static bool IsBoundary(ReadOnlySpan<char> text, int i)
    {
        bool before = i > 0 && RegexClasses.IsWord(CodePoints.Before(text, i));
        return before != (i < text.Length && RegexClasses.IsWord(CodePoints.At(text, i, out _)));
    }

    private bool BeginsAt(Instruction ahead, ReadOnlySpan<char> text, int i)
    {
        Look look = LookOf(ahead.Program!);
        if (look.Holds is null && look.Steps > Patience * (long)text.Length) look.Holds = Beginnings(look, text);
        return look.Holds is BitArray holds ? holds[i] : Looks(look, text, i, text.Length, ahead: true);
    }

    private bool EndsAt(Instruction behind, ReadOnlySpan<char> text, int i)
    {
        Look look = LookOf(behind.Program!);
        if (look.Holds is null && look.Steps > Patience * (long)text.Length)
        {
            // No match is longer than the longest: where the text is read from its beginning, the same ones end at each place.
            var ends = new BitArray(text.Length + 1);
            Looks(look, text, 0, text.Length, ahead: false, ends);
            look.Holds = ends;
        }
        if (look.Holds is BitArray holds) return holds[i];
        int from = i;
        for (int characters = 0; characters < behind.First && from > 0; characters++) from -= char.IsLowSurrogate(text[from - 1]) ? 2 : 1;
        return Looks(look, text, from, i, ahead: false);
    }

    // Is there a match that begins at a place (ahead), or one that begins at or after it and ends at another? Notes on the way where matches end.
    private bool Looks(Look look, ReadOnlySpan<char> text, int from, int to, bool ahead, BitArray? ends = null)
    {
        (Instruction[] instructions, Threads now, Threads next) = (look.Program, look.Now, look.Next);
        now.Clear();
        for (int i = from, length; ; i += length)
        {
            if (i == from || !ahead) Follow(instructions, now, 0, i, text, i);
            look.Steps += now.Count + 1;
            bool match = now.HasVisited(instructions.Length - 1);
            if (match) ends?.Set(i, true);
            if ((ahead || i == to) && match) return true;
            if (i == to || (ahead && now.Count == 0)) return false;
            int codePoint = CodePoints.At(text, i, out length);
            next.Clear();
            for (int t = 0; t < now.Count; t++)
            {
                ref readonly Instruction instruction = ref instructions[now[t].At];
                if (instruction.Kind == Kind.Take && Takes(instruction, codePoint, i)) Follow(instructions, next, now[t].At + 1, from, text, i + length);
            }
            (now, next) = (next, now);
        }
    }

    // Where in a text a match begins.
    private BitArray Beginnings(Look look, ReadOnlySpan<char> text)
    {
        var begins = new BitArray(text.Length + 1);
        var backwards = new RegexBackwards(look.Program, this);
        ulong[] here = new ulong[backwards.Words], after = new ulong[backwards.Words];
        for (int i = text.Length; i >= 0; i = RegexBackwards.Before(text, i))
        {
            Array.Clear(here);
            backwards.Read(text, i, after, here);
            begins[i] = (here[0] & 1) != 0;
            (after, here) = (here, after);
        }
        return begins;
    }

    private Look LookOf(Instruction[] look)
    {
        if (!_looks.TryGetValue(look, out Look? state)) _looks.Add(look, state = new Look(look));
        return state;
    }

    /// <summary>What a program of its own looks for, ahead or behind: at one place, until that took as much as reading the text several times; then at all
    /// places at once.</summary>
    private sealed class Look(Instruction[] program)
    {
        public Instruction[] Program { get; } = program;
        public Threads Now { get; } = new(program.Length);
        public Threads Next { get; } = new(program.Length);
        public long Steps { get; set; }

        /// <summary>The places where it is found.</summary>
        public BitArray? Holds { get; set; }
    }

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
