namespace ManagedTransformers.Kernels;

/// <summary>Matrix multiplication with a weight: the heart of every layer.</summary>
public static class MatMul
{
    /// <summary>Y = act(X · Wᵀ + bias) + residual.</summary>
    /// <param name="x">X, row-major [m, k].</param>
    /// <param name="m">Rows of X and Y: tokens.</param>
    /// <param name="w">W, row-major [n, k] as stored; read in place.</param>
    /// <param name="y">Y, row-major [m, n]; must not overlap <paramref name="x"/>.</param>
    /// <param name="epilogue">Bias, activation and residual.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads.</param>
    /// <exception cref="ArgumentException">A length does not fit m, n and k.</exception>
    public static void Run(ReadOnlySpan<float> x, int m, WeightMatrix w, Span<float> y, in Epilogue epilogue, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.NotNegative(m);
        Check.Length(x.Length, (long)m * w.K, $"x [m {m}, k {w.K}]");
        Check.Length(y.Length, (long)m * w.N, $"y [m {m}, n {w.N}]");
        if (!epilogue.Bias.IsEmpty) Check.Length(epilogue.Bias.Length, w.N, $"a bias of n {w.N}");
        if (!epilogue.Residual.IsEmpty) Check.Length(epilogue.Residual.Length, y.Length, $"a residual [m {m}, n {w.N}]");
        Activations.CheckKnown(epilogue.Activation);
        MatMulReference.Run(x, m, w, y, epilogue);
    }
}
