namespace ManagedTransformers.Kernels;

/// <summary>Softmax and its logarithmic denominator, of one row.</summary>
public static class Softmax
{
    /// <summary>y = exp(x − max(x)) / Σ exp(x − max(x)).</summary>
    /// <param name="x">One row of scores.</param>
    /// <param name="y">As long as <paramref name="x"/>; may be <paramref name="x"/> itself.</param>
    /// <param name="options">Level; one row runs on one thread.</param>
    /// <remarks>A row with NaN or +∞, or of −∞ only, becomes NaN, as in PyTorch.</remarks>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Run(ReadOnlySpan<float> x, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.SameLength(x.Length, y.Length);
        SoftmaxReference.Run(x, y);
    }

    /// <summary>log Σ exp(x), without overflow; −∞ for an empty row.</summary>
    /// <param name="x">One row of scores.</param>
    /// <param name="options">Level; one row runs on one thread.</param>
    /// <remarks>NaN in x gives NaN; otherwise +∞ in x gives +∞, and −∞ only gives −∞, as torch.logsumexp does.</remarks>
    public static double LogSumExp(ReadOnlySpan<float> x, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return SoftmaxReference.LogSumExp(x);
    }
}
