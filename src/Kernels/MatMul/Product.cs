namespace ManagedTransformers.Kernels;

/// <summary>One of several products that are computed together: Y = act(X · Wᵀ + bias) + residual.</summary>
/// <param name="x">X, row-major [m, k].</param>
/// <param name="weight">W, [n, k].</param>
/// <param name="y">Y, row-major [m, n].</param>
/// <param name="epilogue">Bias, activation and residual.</param>
internal readonly ref struct Product(ReadOnlySpan<float> x, WeightMatrix weight, Span<float> y, Epilogue epilogue)
{
    public ReadOnlySpan<float> X { get; } = x;
    public WeightMatrix Weight { get; } = weight;
    public Span<float> Y { get; } = y;
    public Epilogue Epilogue { get; } = epilogue;
}

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
