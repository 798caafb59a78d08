namespace ManagedTransformers;

/// <summary>score + bias, for the last token of each sequence whose other tokens stand at the end of the text.</summary>
/// <remarks>transformers' SequenceBiasLogitsProcessor. Of a sequence that is given twice the last bias counts.</remarks>
internal sealed class SequenceBiasLogitsProcessor : LogitsProcessor
{
    private readonly (int[] Prefix, int Last, float Bias)[] _biases;

    /// <summary>Biases of sequences.</summary>
    /// <param name="sequenceBias">At least one sequence, none of them empty.</param>
    public SequenceBiasLogitsProcessor(IReadOnlyList<SequenceBias> sequenceBias) => _biases =
    [
        .. sequenceBias.Reverse().DistinctBy(bias => string.Join(' ', bias.TokenIds)).Reverse()
            .Select(bias => (bias.TokenIds.Take(bias.TokenIds.Count - 1).ToArray(), bias.TokenIds[^1], bias.Bias)),
    ];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        foreach ((int[] prefix, int last, float bias) in _biases)
        {
            // A text shorter than the whole sequence is left alone, even where it is its beginning: so transformers has it.
            if (prefix.Length == 0 || (inputIds.Length > prefix.Length && inputIds.EndsWith(prefix)))
                scores[last] += bias;
        }
    }
}
