namespace ManagedTransformers.Tokenizers;

/// <summary>A regular expression over code points: leftmost match, alternatives in order, as a backtracking engine finds it, but never in exponential
/// time.</summary>
/// <remarks>Pike's simulation, see <see cref="RegexMatcher"/>. .NET's own engine works on UTF-16 units, where no letter beyond U+FFFF is a
/// <c>\p{L}</c>.</remarks>
internal sealed class RegexPattern : TextPattern
{
    /// <summary>Compiles an expression.</summary>
    /// <exception cref="TokenizerException">It is not one, or has what is not supported.</exception>
    public RegexPattern(string source, string path)
    {
        var compiler = new RegexCompiler(source, path);
        Program = compiler.Compile();
        Classes = compiler.Classes;
    }

    internal enum Kind
    {
        /// <summary>Takes a character of the class.</summary>
        Take,

        /// <summary>Goes on in two places, the first preferred.</summary>
        Fork,

        /// <summary>Goes back to the fork that begins a loop; on, where nothing was taken since.</summary>
        Again,

        /// <summary>Asks for a character of the class before this place.</summary>
        Behind,

        /// <summary>Asks for one after it.</summary>
        Ahead,

        /// <summary>Asks that none of the class be before it.</summary>
        NotBehind,

        /// <summary>Asks that none of the class be after it.</summary>
        NotAhead,

        /// <summary>Asks for a match of the program that ends at this place.</summary>
        BehindOf,

        /// <summary>Asks for one that begins at it.</summary>
        AheadOf,

        /// <summary>Asks that none end at it.</summary>
        NotBehindOf,

        /// <summary>Asks that none begin at it.</summary>
        NotAheadOf,

        /// <summary>Asks for a word on one side, and none on the other.</summary>
        Boundary,

        /// <summary>Asks for a word on both sides or none.</summary>
        NotBoundary,

        /// <summary>Asks for the beginning of a line; behind a line end that is the last there is none.</summary>
        LineStart,

        /// <summary>The end.</summary>
        Match,
    }

    /// <param name="Kind">What it does.</param>
    /// <param name="Class">The characters that it takes or asks for.</param>
    /// <param name="First">Where it goes on, counted from itself; for a look behind the most characters of a match.</param>
    /// <param name="Second">Where else; for <see cref="Kind.Take"/> the number of its class in the expression.</param>
    /// <param name="Program">What it looks for.</param>
    internal readonly record struct Instruction(Kind Kind, Predicate<int>? Class = null, int First = 0, int Second = 0, Instruction[]? Program = null);

    /// <summary>What a <see cref="RegexMatcher"/> runs.</summary>
    internal Instruction[] Program { get; }

    /// <summary>How many classes it takes characters of.</summary>
    internal int Classes { get; }

    public override TextPattern ForOneText() => ForOneText(patience: 2);

    internal RegexSearch ForOneText(int patience) => new(this) { Patience = patience };

    public override bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int end) =>
        new RegexMatcher(this).TryFind(text, from, out start, out end, out _);
}
