namespace ManagedTransformers;

/// <summary>Forbids the end tokens while the text, prompt included, is shorter than a minimum.</summary>
/// <remarks>transformers' MinLengthLogitsProcessor.</remarks>
public sealed class MinLengthLogitsProcessor : LogitsProcessor
{
    private readonly int _minLength;
    private readonly int[] _eosTokenId;

    /// <summary>A minimum.</summary>
    /// <param name="minLength">Tokens with the prompt, at least 0.</param>
    /// <param name="eosTokenId">The end tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">The minimum is negative.</exception>
    public MinLengthLogitsProcessor(int minLength, IReadOnlyList<int> eosTokenId) =>
        (_minLength, _eosTokenId) = (OptionRange.AtLeast(0, minLength, nameof(minLength))!.Value, [.. eosTokenId]);

    /// <inheritdoc/>
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (inputIds.Length < _minLength)
            Remove(_eosTokenId, scores);
    }
}
