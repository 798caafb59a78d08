namespace ManagedTransformers;

/// <summary>How a program is written turn by turn.</summary>
public sealed record SynthesisOptions
{
    /// <summary>What the multi-turn programming benchmark (MTPB) puts before the first turn.</summary>
    /// <remarks>salesforce/CodeGen, codegen1/benchmark/mtpb_sample.py.</remarks>
    public const string BenchmarkPreamble = "# Import libraries.\n\nimport numpy as np\n\n";

    /// <summary>The benchmark's settings, but for the preamble.</summary>
    public static SynthesisOptions Default { get; } = new();

    /// <summary>Text before the first turn, such as imports; it ends with an empty line where it is not empty.</summary>
    public string Preamble { get; init; } = "";

    /// <summary>What makes a comment of a line of a turn.</summary>
    public string CommentPrefix { get; init; } = "# ";

    /// <summary>How a turn's subprogram ends.</summary>
    public TruncationRecipe Truncation { get; init; } = TruncationRecipe.MultiTurn;

    /// <summary>How its text is generated. Where MaxNewTokens is null: 256 (the benchmark's max_gen_length), or as many as still fit.</summary>
    public GenerationOptions Generation { get; init; } = GenerationOptions.Default;

    /// <summary>What happens where the context no longer fits into the model.</summary>
    public ContextOverflow Overflow { get; init; }
}

/// <summary>What happens where all turns together no longer fit into n_positions.</summary>
public enum ContextOverflow
{
    /// <summary>The turn is refused.</summary>
    Refuse,

    /// <summary>The model reads the preamble and as many of the latest turns as leave room for the new tokens; the program keeps all of them.</summary>
    DropOldestTurns,
}

/// <summary>One turn: what was asked, and what the model wrote.</summary>
/// <param name="Prompt">The turn in natural language.</param>
/// <param name="Comment">The same as a comment, its line break included.</param>
/// <param name="Subprogram">What the model wrote, cut.</param>
public sealed record SynthesisTurn(string Prompt, string Comment, string Subprogram)
{
    /// <summary>What the turn adds to the program: comment, subprogram, an empty line.</summary>
    public string Text => $"{Comment}{Subprogram}\n\n";
}
