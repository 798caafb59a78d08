namespace ManagedTransformers;

/// <summary>How likely a text is to a model. Logarithms are natural.</summary>
/// <remarks>Perplexity: Jelinek, Mercer, Bahl and Baker 1977, "Perplexity — a measure of the difficulty of speech recognition tasks". Perplexities of models
/// with different tokenizers do not compare, because their tokens are of different lengths; bits per byte do.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed class TextScore
{
    internal TextScore(double logProbability, int tokenCount, int bytes, int characters, IReadOnlyList<TokenScore> tokens) =>
        (LogProbability, TokenCount, Bytes, Characters, Tokens) = (logProbability, tokenCount, bytes, characters, tokens);

    /// <summary>log p(text) = Σ log p(tokenᵢ | the tokens before it).</summary>
    public double LogProbability { get; }

    /// <summary>The tokens that have a probability.</summary>
    public int TokenCount { get; }

    /// <summary>log p(text) / tokens: compares texts of different lengths.</summary>
    public double MeanLogProbability => LogProbability / TokenCount;

    /// <summary>exp(−log p(text) / tokens): among how many equally likely tokens the model chose, on the average.</summary>
    public double Perplexity => Math.Exp(-MeanLogProbability);

    /// <summary>UTF-8 bytes of the text that has a probability.</summary>
    public int Bytes { get; }

    /// <summary>Unicode code points of the text that has a probability.</summary>
    public int Characters { get; }

    /// <summary>−log₂ p(text) / bytes.</summary>
    public double BitsPerByte => -LogProbability / Math.Log(2) / Bytes;

    /// <summary>−log₂ p(text) / code points.</summary>
    public double BitsPerCharacter => -LogProbability / Math.Log(2) / Characters;

    /// <summary>Every token that has a probability, in the text's order; empty without <see cref="ScoringOptions.OutputTokens"/>.</summary>
    public IReadOnlyList<TokenScore> Tokens { get; }

    private string DebuggerText => string.Create(CultureInfo.InvariantCulture, $"log p {LogProbability:F3}, {TokenCount} tokens, perplexity {Perplexity:F3}");
}

/// <summary>A token of a scored text: its probability, its rank among all tokens, and where it stands.</summary>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġreturn</c>.</param>
/// <param name="TokenText">As text, such as <c>" return"</c>; U+FFFD where the token is a part of a character.</param>
/// <param name="LogProbability">log p(token | the tokens before it), natural.</param>
/// <param name="Rank">1 for the likeliest token of the vocabulary, 2 for the next; of equals the lower id comes first.</param>
/// <param name="Start">Where it starts in the .NET string, in UTF-16 units.</param>
/// <param name="End">Where it ends, exclusive.</param>
/// <param name="CodePointStart">Start in Unicode code points.</param>
/// <param name="CodePointEnd">End in Unicode code points, exclusive.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed record TokenScore(
    int TokenId, string Token, string TokenText, double LogProbability, int Rank, int Start, int End, int CodePointStart, int CodePointEnd)
    : TokenProbability(TokenId, Token, TokenText, LogProbability)
{
    private protected override string DebuggerText => $"{base.DebuggerText}, rank {Rank}";
}

/// <summary>One of several continuations of a context.</summary>
/// <param name="Index">Its number among those that were given.</param>
/// <param name="Text">The continuation.</param>
/// <param name="Score">Its probability after the context.</param>
public sealed record ContinuationScore(int Index, string Text, TextScore Score);
