using ManagedTransformers.Kernels;

namespace ManagedTransformers;

/// <summary>Keeps tokens whose probability is at least ε; where there are too few, the most probable ones.</summary>
/// <remarks>transformers' EpsilonLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
public sealed class EpsilonLogitsWarper : LogitsProcessor
{
    private readonly float _epsilon;
    private readonly int _minTokensToKeep;

    /// <summary>A least probability.</summary>
    /// <param name="epsilon">ε, between 0 and 1.</param>
    /// <param name="minTokensToKeep">Most probable tokens that stay in any case, at least 1, and their equals.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public EpsilonLogitsWarper(double epsilon, int minTokensToKeep = 1)
    {
        _epsilon = (float)OptionRange.Between0And1(epsilon, nameof(epsilon))!;
        _minTokensToKeep = OptionRange.AtLeast(1, minTokensToKeep, nameof(minTokensToKeep))!.Value;
    }

    /// <inheritdoc/>
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, KernelOptions.Default);
        Distribution.RemoveBelow(_epsilon, _minTokensToKeep, rented.Span, scores);
    }
}
