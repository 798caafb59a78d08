namespace ManagedTransformers.Tokenizers;

/// <summary>How ids become text.</summary>
public sealed record DecodeOptions
{
    /// <summary>Everything is written, as the decoder of the tokenizer writes it.</summary>
    public static DecodeOptions Default { get; } = new();

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
