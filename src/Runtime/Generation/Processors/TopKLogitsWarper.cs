namespace ManagedTransformers;

/// <summary>Keeps the k highest scores, and those that equal the lowest of them.</summary>
/// <remarks>transformers' TopKLogitsWarper; Fan et al. 2018, arXiv:1805.04833.</remarks>
/// <param name="topK">How many tokens stay, and the equals of the last of them; at least 1.</param>
/// <param name="minTokensToKeep">Instead of <paramref name="topK"/> where it is more; at least 1.</param>
internal sealed class TopKLogitsWarper(int topK, int minTokensToKeep) : LogitsProcessor
{
    private readonly int _topK = Math.Max(topK, minTokensToKeep);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (_topK >= scores.Length)
            return;
        float lowest = Highest.At(_topK, scores);
        foreach (ref float score in scores)
        {
            if (score < lowest)
                score = float.NegativeInfinity;
        }
    }
}
