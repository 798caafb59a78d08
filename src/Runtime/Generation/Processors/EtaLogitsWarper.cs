namespace ManagedTransformers;

/// <summary>Keeps tokens whose probability is at least η = min(ε, √ε · exp(−H)), with the entropy H = −Σ p log p; where there are too few, the most probable
/// ones.</summary>
/// <remarks>transformers' EtaLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
/// <param name="epsilon">ε (eta_cutoff), between 0 and 1.</param>
/// <param name="minTokensToKeep">Most probable tokens that stay in any case, at least 1, and their equals.</param>
/// <param name="kernels">Level of the softmax.</param>
internal sealed class EtaLogitsWarper(double epsilon, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _epsilon = (float)epsilon;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, kernels);
        float entropy = (float)Distribution.Entropy(scores, rented.Span, kernels);
        float eta = Math.Min(_epsilon, MathF.Sqrt(_epsilon) * MathF.Exp(-entropy));
        Distribution.RemoveBelow(eta, minTokensToKeep, rented.Span, scores);
    }
}
