namespace ManagedTransformers;

/// <summary>Forbids tokens.</summary>
/// <remarks>transformers' SuppressTokensLogitsProcessor.</remarks>
/// <param name="suppressTokens">The tokens.</param>
internal sealed class SuppressTokensLogitsProcessor(IReadOnlyList<int> suppressTokens) : LogitsProcessor
{
    private readonly int[] _suppressTokens = [.. suppressTokens];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => Remove(_suppressTokens, scores);
}
