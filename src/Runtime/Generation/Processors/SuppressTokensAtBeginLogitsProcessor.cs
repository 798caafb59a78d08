namespace ManagedTransformers;

/// <summary>Forbids tokens as the first that is generated.</summary>
/// <remarks>transformers' SuppressTokensAtBeginLogitsProcessor.</remarks>
/// <param name="beginSuppressTokens">The tokens.</param>
/// <param name="beginIndex">Where the first generated token comes: the prompt's length.</param>
internal sealed class SuppressTokensAtBeginLogitsProcessor(IReadOnlyList<int> beginSuppressTokens, int beginIndex) : LogitsProcessor
{
    private readonly int[] _beginSuppressTokens = [.. beginSuppressTokens];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length == beginIndex)
            Remove(_beginSuppressTokens, scores);
    }
}
