namespace ManagedTransformers;

/// <summary>Keeps the tokens whose information −log p is closest to its expectation, the entropy H = −Σ p log p, until their probabilities together reach a
/// mass: ordered by |−log p − H|. The most probable token may go.</summary>
/// <remarks>transformers' TypicalLogitsWarper; Meister et al. 2022, arXiv:2202.00666.</remarks>
/// <param name="mass">typical_p, between 0 and 1.</param>
/// <param name="minTokensToKeep">Tokens that stay in any case, at least 1.</param>
/// <param name="kernels">Level of the softmax.</param>
internal sealed class TypicalLogitsWarper(double mass, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _mass = (float)mass;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        using var rentedCloseness = new Scratch<float>(scores.Length);
        using var rentedOrder = new Scratch<int>(scores.Length);
        Span<float> probabilities = rented.Span, closeness = rentedCloseness.Span;
        Softmax.Run(scores, probabilities, kernels);
        float denominator = (float)Softmax.LogSumExp(scores, kernels);
        float entropy = (float)Distribution.Entropy(scores, probabilities, kernels);
        for (int i = 0; i < scores.Length; i++)
            closeness[i] = -MathF.Abs(denominator - scores[i] - entropy);    // −∞ where the token is removed already

        var order = new ScoreOrder(closeness, rentedOrder.Span, lowestIdFirst: true);
        double cumulated = 0;
        float last = float.NegativeInfinity;
        for (int kept = 0; order.Count > 0 && (kept < minTokensToKeep || (float)cumulated < _mass); kept++)
        {
            int token = order.Take();
            if ((float)cumulated < _mass)
                last = closeness[token];
            cumulated += probabilities[token];
        }
        // Where all tokens together stay below the mass, by rounding, the loop has taken all.
        foreach (int token in order.Rest)
        {
            if (closeness[token] < last)
                scores[token] = float.NegativeInfinity;
        }
    }
}
