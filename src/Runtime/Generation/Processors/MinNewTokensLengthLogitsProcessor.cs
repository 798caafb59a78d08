namespace ManagedTransformers;

/// <summary>Forbids the end tokens until so many tokens were generated.</summary>
/// <remarks>transformers' MinNewTokensLengthLogitsProcessor.</remarks>
public sealed class MinNewTokensLengthLogitsProcessor : LogitsProcessor
{
    private readonly int _promptLength;
    private readonly int _minNewTokens;
    private readonly int[] _eosTokenId;

    /// <summary>A minimum.</summary>
    /// <param name="promptLength">Tokens of the prompt, at least 0; they do not count.</param>
    /// <param name="minNewTokens">Tokens to generate, at least 0.</param>
    /// <param name="eosTokenId">The end tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    public MinNewTokensLengthLogitsProcessor(int promptLength, int minNewTokens, IReadOnlyList<int> eosTokenId)
    {
        _promptLength = OptionRange.AtLeast(0, promptLength, nameof(promptLength))!.Value;
        _minNewTokens = OptionRange.AtLeast(0, minNewTokens, nameof(minNewTokens))!.Value;
        _eosTokenId = [.. eosTokenId];
    }

    /// <inheritdoc/>
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length - _promptLength < _minNewTokens)
            Remove(_eosTokenId, scores);
    }
}
