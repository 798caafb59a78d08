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

/// <summary>How texts are scored.</summary>
public sealed record ScoringOptions
{
    /// <summary>The defaults.</summary>
    public static ScoringOptions Default => new();

    /// <summary>Puts the token that begins a text (GPT-2's &lt;|endoftext|>) before it, or before the context, so that the first token has a probability too
    /// and all of the text counts. Without it the first token of a text is only read. <see cref="TextGenerator"/> does not put it there: set this to false for
    /// the probabilities by which it chooses.</summary>
    public bool AddBeginOfText { get; init; } = true;

    /// <summary>The most tokens that the model reads at once, 2 … all that it has positions for, as by default. Longer texts are read in windows.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 2.</exception>
    public int? Window
    {
        get;
        init => field = value < 2
            ? throw new ArgumentOutOfRangeException(nameof(value), $"Window is {value}; at least 2 is needed: a token and one before it.")
            : value;
    }

    /// <summary>How many tokens a window begins after the one before, 1 … <see cref="Window"/>; null: half a window. A token then has at least Window − Stride
    /// tokens before it, where the text has as many: small strides are closer to the text's probability under the model, and take longer.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? Stride { get; init => field = OptionRange.Least(1, value); }

    /// <summary>Whether <see cref="TextScore.Tokens"/> is filled. Without it the memory that is needed does not grow with the scores of a long text.</summary>
    public bool OutputTokens { get; init; } = true;

    /// <summary>How many of the likeliest tokens are given for every position, besides the text's own; 0: none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int TopK { get; init => field = OptionRange.Least(0, value); }

    /// <summary>Window and stride for a model.</summary>
    /// <exception cref="ModelInputException">The window is longer than the model reads, or the stride than the window.</exception>
    internal (int Window, int Stride) WindowsOf(PretrainedConfig config)
    {
        int window = Window ?? config.MaxTokens;
        if (window > config.MaxTokens)
            throw new ModelInputException($"ScoringOptions.Window is {window}; the model reads at most {config.MaxTokens} tokens ({config.Positions}). " +
                $"Ask for 2 … {config.MaxTokens}.");
        if (window < 2)
            throw new ModelInputException($"The model reads {config.MaxTokens} token at once ({config.Positions}); at least 2 are needed: a token and " +
                "one before it. Another model is needed.");
        int stride = Stride ?? Math.Max(1, window / 2);
        if (stride > window)
            throw new ModelInputException($"ScoringOptions.Stride is {stride} and the window {window}: the tokens between two windows would not be " +
                $"read. Ask for 1 … {window}.");
        return (window, stride);
    }
}

/// <summary>How far scoring is.</summary>
/// <param name="Scored">Tokens that have their probability.</param>
/// <param name="Total">Tokens that will have one.</param>
public readonly record struct ScoringProgress(int Scored, int Total);
