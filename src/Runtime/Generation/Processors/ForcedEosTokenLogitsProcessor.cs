namespace ManagedTransformers;

/// <summary>Leaves nothing but end tokens, with score 0, where one token is missing to the greatest length.</summary>
/// <remarks>transformers' ForcedEOSTokenLogitsProcessor.</remarks>
public sealed class ForcedEosTokenLogitsProcessor : LogitsProcessor
{
    private readonly int _maxLength;
    private readonly int[] _eosTokenId;

    /// <summary>The last token.</summary>
    /// <param name="maxLength">The most tokens, prompt included, at least 1.</param>
    /// <param name="eosTokenId">The tokens that may be last, within the vocabulary.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is below 1.</exception>
    public ForcedEosTokenLogitsProcessor(int maxLength, IReadOnlyList<int> eosTokenId) =>
        (_maxLength, _eosTokenId) = (OptionRange.AtLeast(1, maxLength, nameof(maxLength))!.Value, [.. eosTokenId]);

    /// <inheritdoc/>
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length != _maxLength - 1)
            return;
        scores.Fill(float.NegativeInfinity);
        foreach (int token in _eosTokenId)
            scores[token] = 0;
    }
}
