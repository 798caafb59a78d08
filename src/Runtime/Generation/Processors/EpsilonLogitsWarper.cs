namespace ManagedTransformers;

/// <summary>Keeps tokens whose probability is at least ε; where there are too few, the most probable ones.</summary>
/// <remarks>transformers' EpsilonLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
/// <param name="epsilon">ε, between 0 and 1.</param>
/// <param name="minTokensToKeep">Most probable tokens that stay in any case, at least 1, and their equals.</param>
/// <param name="kernels">Level of the softmax.</param>
internal sealed class EpsilonLogitsWarper(double epsilon, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _epsilon = (float)epsilon;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, kernels);
        Distribution.RemoveBelow(_epsilon, minTokensToKeep, rented.Span, scores);
    }
}
