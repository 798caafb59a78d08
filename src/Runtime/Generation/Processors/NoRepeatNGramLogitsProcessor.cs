namespace ManagedTransformers;

/// <summary>Forbids every token that would complete a sequence of n tokens which is in the text already.</summary>
/// <remarks>transformers' NoRepeatNGramLogitsProcessor, after fairseq's no_repeat_ngram_size. The prompt's sequences count.</remarks>
/// <param name="ngramSize">n, at least 1; 1: no token comes twice.</param>
internal sealed class NoRepeatNGramLogitsProcessor(int ngramSize) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        int prefixLength = ngramSize - 1;
        if (inputIds.Length < prefixLength)
            return;
        ReadOnlySpan<int> last = inputIds[^prefixLength..];
        for (int end = prefixLength; end < inputIds.Length; end++)
        {
            if (inputIds.Slice(end - prefixLength, prefixLength).SequenceEqual(last))
                scores[inputIds[end]] = float.NegativeInfinity;
        }
    }
}
