namespace ManagedTransformers;

/// <summary>Keeps tokens whose probability is at least min_p · that of the most probable token.</summary>
/// <remarks>transformers' MinPLogitsWarper; Nguyen et al. 2024, arXiv:2407.01082.</remarks>
/// <param name="minP">From 0 to 1.</param>
/// <param name="minTokensToKeep">Most probable tokens that stay in any case, at least 1; of equals those of lower ids.</param>
/// <param name="kernels">Level of the softmax.</param>
internal sealed class MinPLogitsWarper(double minP, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _minP = (float)minP;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Span<float> probabilities = rented.Span;
        Softmax.Run(scores, probabilities, kernels);
        float highest = 0;
        foreach (float probability in probabilities)
            highest = Math.Max(highest, probability);
        float cutoff = _minP * highest;
        int kept = 0;
        foreach (float probability in probabilities)
            kept += probability >= cutoff ? 1 : 0;
        if (kept < minTokensToKeep)
            KeepHighest(scores);
        else
            Distribution.RemoveBelow(cutoff, probabilities, scores);
    }

    private void KeepHighest(Span<float> scores)
    {
        using var rented = new Scratch<int>(scores.Length);
        var order = new ScoreOrder(scores, rented.Span, lowestIdFirst: true);
        for (int kept = 0; kept < minTokensToKeep && order.Count > 0; kept++)
            order.Take();
        foreach (int token in order.Rest)
            scores[token] = float.NegativeInfinity;
    }
}
