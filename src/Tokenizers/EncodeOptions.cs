namespace ManagedTransformers.Tokenizers;


/// <summary>How a text becomes ids.</summary>
public sealed record EncodeOptions
{
    /// <summary>Special tokens added, nothing cut, nothing padded.</summary>
    public static EncodeOptions Default => new();

    /// <summary>All of a text's tokens and nothing else, whatever tokenizer.json asks for.</summary>
    public static EncodeOptions Plain { get; } = new() { AddSpecialTokens = false, Truncation = Truncation.None, Padding = Padding.None };

    /// <summary>Adds the special tokens of the model (<c>[CLS] … [SEP]</c> and the like), where the tokenizer has a post-processor that does.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Cuts what is too long; null: the tokenizer's own (tokenizer.json, "truncation"), if it has one.</summary>
    public Truncation? Truncation { get; init; }

    /// <summary>Fills up what is too short; null: the tokenizer's own (tokenizer.json, "padding"), if it has one.</summary>
    public Padding? Padding { get; init; }

    /// <summary>The most threads that a batch of texts is encoded on; all processors, by default. A single text is encoded on one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int MaxThreads
    {
        get;
        init => field = value >= 1
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "MaxThreads counts the calling thread and must be at least 1.");
    } = Environment.ProcessorCount;
}

/// <summary>Which of two texts is cut.</summary>
public enum TruncationStrategy
{
    /// <summary>Of the longer one as much as needed; then of both.</summary>
    LongestFirst,

    /// <summary>Only the first.</summary>
    OnlyFirst,

    /// <summary>Only the second.</summary>
    OnlySecond,
}

/// <summary>A side of a text.</summary>
public enum TextSide
{
    /// <summary>The end.</summary>
    Right,

    /// <summary>The beginning.</summary>
    Left,
}

/// <summary>Cuts an encoding down to <paramref name="MaxLength"/> tokens, special tokens included.</summary>
/// <param name="MaxLength">Most tokens that are left, special tokens included.</param>
/// <remarks>What is cut off comes back in <see cref="TokenEncoding.Overflowing"/>, in windows of the same length that share <see cref="Stride"/> tokens with
/// their neighbour.</remarks>
public sealed record Truncation(int MaxLength)
{
    /// <summary>Turns truncation off even where tokenizer.json asks for it.</summary>
    public static Truncation None { get; } = new(int.MaxValue);

    /// <summary>Which of two texts is cut.</summary>
    public TruncationStrategy Strategy { get; init; } = TruncationStrategy.LongestFirst;

    /// <summary>The side that is cut.</summary>
    public TextSide Direction { get; init; } = TextSide.Right;

    /// <summary>How many tokens a window shares with the one before.</summary>
    public int Stride { get; init; }
}

/// <summary>Fills encodings up to one length.</summary>
public sealed record Padding
{
    /// <summary>Turns padding off even where tokenizer.json asks for it.</summary>
    public static Padding None { get; } = new();

    /// <summary>The length to fill up to; null: that of the longest of the batch.</summary>
    public int? Length { get; init; }

    /// <summary>The length is rounded up to a multiple of this; null or 0: it is not.</summary>
    public int? MultipleOf { get; init; }

    /// <summary>The side that is filled.</summary>
    public TextSide Direction { get; init; } = TextSide.Right;

    /// <summary>Id of the filling; null: the tokenizer's pad token.</summary>
    public int? PadId { get; init; }

    /// <summary>Type id of the filling.</summary>
    public int PadTypeId { get; init; }

    /// <summary>Text of the filling; null: the token of its id.</summary>
    public string? PadToken { get; init; }
}

/// <summary>How ids become text.</summary>
public sealed record DecodeOptions
{
    /// <summary>Everything is written, as the decoder of the tokenizer writes it.</summary>
    public static DecodeOptions Default => new();

    /// <summary>Leaves special tokens out.</summary>
    public bool SkipSpecialTokens { get; init; }

    /// <summary>Takes the spaces before punctuation and English contractions away, as transformers' clean_up_tokenization does.</summary>
    public bool CleanUpTokenizationSpaces { get; init; }

    /// <summary>What happens where the bytes of byte-level tokens are not UTF-8.</summary>
    public InvalidUtf8 Errors { get; init; } = InvalidUtf8.Replace;
}

/// <summary>What happens where the bytes of byte-level tokens are not UTF-8; Python's "errors" of bytes.decode.</summary>
public enum InvalidUtf8
{
    /// <summary>A U+FFFD for every maximal invalid part.</summary>
    Replace,

    /// <summary>A <see cref="TokenizerException"/>.</summary>
    Strict,

    /// <summary>Left out.</summary>
    Ignore,
}
