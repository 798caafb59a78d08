namespace ManagedTransformers.Kernels;

/// <summary>Layer normalisation.</summary>
public static class LayerNorm
{
    /// <summary>y = (x − mean(x)) / sqrt(var(x) + eps) · weight + bias, for each row.</summary>
    /// <param name="x">Hidden states, [rows, hidden]; hidden is the length of <paramref name="weight"/>.</param>
    /// <param name="weight">Gain, [hidden].</param>
    /// <param name="bias">Offset, [hidden].</param>
    /// <param name="eps">Added to the (biased) variance; layer_norm_eps.</param>
    /// <param name="y">Output, [rows, hidden]; may be <paramref name="x"/> itself.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>Ba et al. 2016, arXiv:1607.06450. NaN or infinity in a row makes the whole row NaN.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or x is not whole rows.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float eps, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.SameLength(weight.Length, bias.Length);
        Check.SameLength(x.Length, y.Length);
        int hidden = weight.Length;
        if (hidden == 0 ? x.Length != 0 : x.Length % hidden != 0)
            throw new ArgumentException($"x.Length is {x.Length}, which is no whole number of rows of weight.Length {hidden}.", nameof(x));
        for (int at = 0; at < x.Length; at += hidden)
            NormReference.LayerNorm(x.Slice(at, hidden), weight, bias, eps, y.Slice(at, hidden));
    }
}
