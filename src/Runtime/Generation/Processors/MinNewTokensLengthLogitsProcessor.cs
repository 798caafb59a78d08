namespace ManagedTransformers;

/// <summary>Forbids the end tokens until so many tokens were generated.</summary>
/// <remarks>transformers' MinNewTokensLengthLogitsProcessor.</remarks>
/// <param name="promptLength">Tokens of the prompt; they do not count.</param>
/// <param name="minNewTokens">Tokens to generate.</param>
/// <param name="eosTokenId">The end tokens.</param>
internal sealed class MinNewTokensLengthLogitsProcessor(int promptLength, int minNewTokens, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length - promptLength < minNewTokens)
            Remove(_eosTokenId, scores);
    }
}
