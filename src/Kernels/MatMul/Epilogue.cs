namespace ManagedTransformers.Kernels;

/// <summary>What happens to a product before it is stored: act(product + Bias) + Residual, while it is still in cache.</summary>
internal readonly ref struct Epilogue
{
    /// <summary>Added to every row, [n]; empty: none.</summary>
    public ReadOnlySpan<float> Bias { get; init; }

    /// <summary>Applied after the bias.</summary>
    public ActivationFunction Activation { get; init; }

    /// <summary>Added last, [m, n]; empty: none. May be the output itself.</summary>
    public ReadOnlySpan<float> Residual { get; init; }
}
