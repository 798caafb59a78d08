namespace ManagedTransformers;

/// <summary>Forbids the end tokens while the text, prompt included, is shorter than a minimum.</summary>
/// <remarks>transformers' MinLengthLogitsProcessor.</remarks>
/// <param name="minLength">Tokens with the prompt.</param>
/// <param name="eosTokenId">The end tokens.</param>
internal sealed class MinLengthLogitsProcessor(int minLength, IReadOnlyList<int> eosTokenId) : LogitsProcessor
{
    private readonly int[] _eosTokenId = [.. eosTokenId];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length < minLength)
            Remove(_eosTokenId, scores);
    }
}
