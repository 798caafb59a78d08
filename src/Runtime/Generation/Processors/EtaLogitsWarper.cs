using ManagedTransformers.Kernels;

namespace ManagedTransformers;

/// <summary>
/// Keeps tokens whose probability is at least η = min(ε, √ε · exp(−H)), with the entropy H = −Σ p log p; where there are too few, the most
/// probable ones.
/// </summary>
/// <remarks>transformers' EtaLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
public sealed class EtaLogitsWarper : LogitsProcessor
{
    private readonly float _epsilon;
    private readonly int _minTokensToKeep;

    /// <summary>A least probability that falls where the next token is uncertain.</summary>
    /// <param name="epsilon">ε (eta_cutoff), between 0 and 1.</param>
    /// <param name="minTokensToKeep">Most probable tokens that stay in any case, at least 1, and their equals.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public EtaLogitsWarper(double epsilon, int minTokensToKeep = 1)
    {
        _epsilon = (float)OptionRange.Between0And1(epsilon, nameof(epsilon))!;
        _minTokensToKeep = OptionRange.AtLeast(1, minTokensToKeep, nameof(minTokensToKeep))!.Value;
    }

    /// <inheritdoc/>
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, KernelOptions.Default);
        float entropy = (float)Distribution.Entropy(scores, rented.Span);
        float eta = Math.Min(_epsilon, MathF.Sqrt(_epsilon) * MathF.Exp(-entropy));
        Distribution.RemoveBelow(eta, _minTokensToKeep, rented.Span, scores);
    }
}
