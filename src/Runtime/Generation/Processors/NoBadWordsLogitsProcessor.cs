namespace ManagedTransformers;

/// <summary>Forbids sequences of tokens: the last token of each is impossible where the others stand at the end of the text.</summary>
/// <remarks>transformers' NoBadWordsLogitsProcessor. A bad word that is one end token alone is left out.</remarks>
internal sealed class NoBadWordsLogitsProcessor : LogitsProcessor
{
    private readonly SequenceBiasLogitsProcessor _bias;

    /// <summary>Bad words.</summary>
    /// <param name="badWordsIds">At least one sequence that is not an end token alone, none of them empty.</param>
    /// <param name="eosTokenId">The end tokens.</param>
    public NoBadWordsLogitsProcessor(IReadOnlyList<IReadOnlyList<int>> badWordsIds, IReadOnlyList<int> eosTokenId) => _bias = new SequenceBiasLogitsProcessor(
        [.. badWordsIds.Where(word => !IsEndToken(word, eosTokenId)).Select(word => new SequenceBias(word, float.NegativeInfinity))]);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores) => _bias.Process(inputIds, scores);

    internal static bool IsEndToken(IReadOnlyList<int> word, IReadOnlyList<int> eosTokenId) => word.Count == 1 && eosTokenId.Contains(word[0]);
}
