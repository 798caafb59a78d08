namespace ManagedTransformers.Kernels;

/// <summary>One of several products that are computed together: Y = act(X · Wᵀ + bias) + residual.</summary>
internal readonly ref struct Product
{
    /// <summary>A product to be computed.</summary>
    /// <param name="x">X, row-major [m, k].</param>
    /// <param name="weight">W, [n, k].</param>
    /// <param name="y">Y, row-major [m, n].</param>
    /// <param name="epilogue">Bias, activation and residual.</param>
    public Product(ReadOnlySpan<float> x, WeightMatrix weight, Span<float> y, Epilogue epilogue)
    {
        X = x;
        Weight = weight;
        Y = y;
        Epilogue = epilogue;
    }

    /// <summary>X, [m, k].</summary>
    public ReadOnlySpan<float> X { get; }

    /// <summary>W, [n, k].</summary>
    public WeightMatrix Weight { get; }

    /// <summary>Y, [m, n].</summary>
    public Span<float> Y { get; }

    /// <summary>Bias, activation and residual.</summary>
    public Epilogue Epilogue { get; }
}
