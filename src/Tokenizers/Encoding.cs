namespace ManagedTransformers.Tokenizers;

/// <summary>A text as tokens: one entry per token in every array. Hugging Face's Encoding.</summary>
public sealed class Encoding
{
    internal Encoding()
    {
    }

    /// <summary>Number of tokens.</summary>
    public int Length => Ids.Length;

    /// <summary>Token ids, [tokens].</summary>
    public int[] Ids { get; internal init; } = [];

    /// <summary>Token texts as the vocabulary has them (byte-level tokens in the 256 stand-in characters of GPT-2), [tokens].</summary>
    public string[] Tokens { get; internal init; } = [];

    /// <summary>Where each token stands in its text: half-open spans in Unicode code points, (0, 0) for special tokens, [tokens].</summary>
    public (int Start, int End)[] Offsets { get; internal init; } = [];

    /// <summary>The same spans in UTF-16 units, to cut .NET strings with, [tokens].</summary>
    public (int Start, int End)[] Utf16Offsets { get; internal init; } = [];

    /// <summary>token_type_ids: which of the two texts, where the model distinguishes them, [tokens].</summary>
    public int[] TypeIds { get; internal init; } = [];

    /// <summary>1 for tokens that the post-processor added, [tokens].</summary>
    public int[] SpecialTokensMask { get; internal init; } = [];

    /// <summary>0 for padding, [tokens].</summary>
    public int[] AttentionMask { get; internal init; } = [];

    /// <summary>Number of the word that a token is part of; null for special tokens, [tokens].</summary>
    public int?[] WordIds { get; internal init; } = [];

    /// <summary>Number of the text (0, or 1 for the pair) that a token comes from; null for special tokens, [tokens].</summary>
    public int?[] SequenceIds { get; internal init; } = [];

    /// <summary>What truncation cut off, in windows of their own.</summary>
    public IReadOnlyList<Encoding> Overflowing { get; internal init; } = [];
}
