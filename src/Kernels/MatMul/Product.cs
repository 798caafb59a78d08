namespace ManagedTransformers.Kernels;

/// <summary>One of several products with the same X: Y = act(X · Wᵀ + bias) + residual.</summary>
public readonly ref struct Product
{
    /// <summary>A product to be computed.</summary>
    /// <param name="weight">W, [n, k].</param>
    /// <param name="y">Y, row-major [m, n].</param>
    /// <param name="epilogue">Bias, activation and residual.</param>
    public Product(WeightMatrix weight, Span<float> y, Epilogue epilogue)
    {
        Weight = weight;
        Y = y;
        Epilogue = epilogue;
    }

    /// <summary>W, [n, k].</summary>
    public WeightMatrix Weight { get; }

    /// <summary>Y, [m, n].</summary>
    public Span<float> Y { get; }

    /// <summary>Bias, activation and residual.</summary>
    public Epilogue Epilogue { get; }
}
