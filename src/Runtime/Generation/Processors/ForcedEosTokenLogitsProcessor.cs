namespace ManagedTransformers;

/// <summary>Leaves nothing but end tokens, with score 0, where one token is missing to the greatest length.</summary>
/// <remarks>transformers' ForcedEOSTokenLogitsProcessor.</remarks>
/// <param name="maxLength">The most tokens, prompt included.</param>
/// <param name="eosTokenId">The tokens that may be last, within the vocabulary.</param>
internal sealed class ForcedEosTokenLogitsProcessor(int maxLength, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length != maxLength - 1)
            return;
        scores.Fill(float.NegativeInfinity);
        foreach (int token in _eosTokenId)
            scores[token] = 0;
    }
}
