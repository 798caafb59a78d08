namespace ManagedTransformers;

/// <summary>Keeps the k highest scores, and those that equal the lowest of them.</summary>
/// <remarks>transformers' TopKLogitsWarper; Fan et al. 2018, arXiv:1805.04833.</remarks>
public sealed class TopKLogitsWarper : LogitsProcessor
{
    private readonly int _topK;

    /// <summary>So many tokens.</summary>
    /// <param name="topK">k, at least 1.</param>
    /// <param name="minTokensToKeep">Goes before <paramref name="topK"/> where it is more; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1.</exception>
    public TopKLogitsWarper(int topK, int minTokensToKeep = 1)
    {
        OptionRange.AtLeast(1, topK, nameof(topK));
        OptionRange.AtLeast(1, minTokensToKeep, nameof(minTokensToKeep));
        _topK = Math.Max(topK, minTokensToKeep);
    }

    /// <inheritdoc/>
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
