namespace ManagedTransformers;

/// <summary>How texts are scored.</summary>
public sealed record ScoringOptions
{
    /// <summary>The defaults.</summary>
    public static ScoringOptions Default { get; } = new();

    /// <summary>Puts the token that begins a text (GPT-2's &lt;|endoftext|>) before it, or before the context, so that the first token has a probability too
    /// and all of the text counts. Without it the first token of a text is only read. <see cref="TextGenerator"/> does not put it there: set this to false for
    /// the probabilities by which it chooses.</summary>
    public bool AddBeginOfText { get; init; } = true;

    /// <summary>The most tokens that the model reads at once, 2 … n_positions; null: n_positions. Longer texts are read in windows of this many.</summary>
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
            throw new ModelInputException($"ScoringOptions.Window is {window}; the model reads at most {config.MaxTokens} tokens (n_positions). " +
                $"Ask for 2 … {config.MaxTokens}.");
        if (window < 2)
            throw new ModelInputException($"The model reads {config.MaxTokens} token at once (n_positions); at least 2 are needed: a token and " +
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
