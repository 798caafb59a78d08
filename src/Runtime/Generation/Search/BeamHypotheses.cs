namespace ManagedTransformers;

/// <summary>A text that a beam found, and what it is worth.</summary>
/// <param name="Tokens">The new tokens, without an end token.</param>
/// <param name="Score">The sum of their log probabilities over their number to the power of the length penalty.</param>
/// <param name="FinishReason">Why it ended.</param>
[DebuggerDisplay("{Tokens.Length} tokens, score {Score}, {FinishReason}")]
internal sealed record BeamHypothesis(int[] Tokens, double Score, FinishReason FinishReason);

/// <summary>The best texts that a beam search has found so far, as many as there are beams.</summary>
/// <remarks>transformers' BeamHypotheses.</remarks>
internal sealed class BeamHypotheses(int beams, double lengthPenalty, EarlyStopping earlyStopping, int maxNewTokens)
{
    private readonly List<BeamHypothesis> _kept = [];

    /// <summary>Best first; of equals the one found later.</summary>
    public IEnumerable<BeamHypothesis> Best => Enumerable.Reverse(_kept).OrderByDescending(one => one.Score);

    /// <summary>Takes a text where it is among the best.</summary>
    /// <param name="tokens">Its new tokens, without an end token.</param>
    /// <param name="sum">The sum of the log probabilities, that of the end token included.</param>
    /// <param name="length">How many they were.</param>
    /// <param name="reason">Why it ended.</param>
    public void Add(ReadOnlySpan<int> tokens, double sum, int length, FinishReason reason)
    {
        double score = sum / Math.Pow(length, lengthPenalty);
        if (_kept.Count == beams && score <= _kept.Min(one => one.Score))
            return;
        _kept.Add(new BeamHypothesis(tokens.ToArray(), score, reason));
        if (_kept.Count > beams)
            _kept.Remove(_kept.MinBy(one => one.Score)!);
    }

    /// <summary>Whether no beam that goes on is expected to become better than what was found.</summary>
    /// <param name="bestSum">The highest sum of log probabilities of a beam.</param>
    /// <param name="length">New tokens of the beams.</param>
    public bool IsDone(double bestSum, int length)
    {
        if (_kept.Count < beams)
            return false;
        if (earlyStopping == EarlyStopping.True)
            return true;
        // Never: what could be reached at all. With a penalty above 0 that is at full length.
        int compared = earlyStopping == EarlyStopping.Never && lengthPenalty > 0 ? maxNewTokens : length;
        return _kept.Min(one => one.Score) >= bestSum / Math.Pow(compared, lengthPenalty);
    }
}
