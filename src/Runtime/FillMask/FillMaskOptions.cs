namespace ManagedTransformers;

/// <summary>What fill-mask returns.</summary>
public sealed record FillMaskOptions
{
    /// <summary>The defaults.</summary>
    public static FillMaskOptions Default { get; } = new();

    /// <summary>Candidates per mask, at least 1; fewer where there are fewer targets.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int TopK { get; init => field = OptionRange.Least(1, value); } = 5;

    /// <summary>The only candidates, each one token: as the vocabulary writes it, or as text that is one token (<c>" function"</c>). Null: the whole
    /// vocabulary.</summary>
    public IReadOnlyList<string>? Targets { get; init; }

    /// <summary>Cuts a text that is too long at its end, instead of refusing it.</summary>
    public bool Truncation { get; init; }
}

/// <summary>A text with what fills its masks.</summary>
/// <param name="Text">The text.</param>
/// <param name="Masks">Its masks, in the text's order.</param>
public sealed record MaskedText(string Text, IReadOnlyList<FilledMask> Masks);

/// <summary>A mask of a text.</summary>
/// <param name="Start">Where it starts in the .NET string, in UTF-16 units.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="Predictions">The best candidates, best first.</param>
public sealed record FilledMask(int Start, int End, IReadOnlyList<FillMaskPrediction> Predictions);

/// <summary>A candidate for a mask.</summary>
/// <param name="Score">Its probability among the whole vocabulary.</param>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġfunction</c>.</param>
/// <param name="TokenText">As text, such as <c>" function"</c>; transformers' token_str.</param>
/// <param name="Sequence">The text with the mask filled. Where it has other masks they stay, and the special tokens are written, as transformers does.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed record FillMaskPrediction(float Score, int TokenId, string Token, string TokenText, string Sequence)
{
    private string DebuggerText => string.Create(CultureInfo.InvariantCulture, $"{new TokenView(TokenId, TokenText)}: {Score:F4}");
}
