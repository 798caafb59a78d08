namespace ManagedTransformers;

/// <summary>Keeps the fewest most probable tokens whose probabilities together reach p (the nucleus): from the least probable token on, those are removed whose
/// cumulated probability is at most 1 − p.</summary>
/// <remarks>transformers' TopPLogitsWarper; Holtzman et al. 2020, arXiv:1904.09751. Of equally probable tokens that of the lower id goes first.</remarks>
/// <param name="topP">p, from 0 to 1.</param>
/// <param name="minTokensToKeep">Tokens that stay in any case, at least 1.</param>
/// <param name="kernels">Level of the softmax.</param>
internal sealed class TopPLogitsWarper(double topP, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _removed = (float)(1 - topP);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        using var rentedOrder = new Scratch<int>(scores.Length);
        Span<float> probabilities = rented.Span;
        Softmax.Run(scores, probabilities, kernels);
        // transformers cumulates upwards over all tokens sorted. Downwards only the nucleus is ever put in order.
        double remaining = 0;
        foreach (float probability in probabilities)
            remaining += probability;
        var order = new ScoreOrder(scores, rentedOrder.Span, lowestIdFirst: false);
        for (int kept = 0; order.Count > 0; kept++)
        {
            if (kept >= minTokensToKeep && (float)remaining <= _removed)
                break;
            remaining -= probabilities[order.Take()];
        }
        foreach (int token in order.Rest)
            scores[token] = float.NegativeInfinity;
    }
}
