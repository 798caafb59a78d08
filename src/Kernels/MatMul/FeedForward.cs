namespace ManagedTransformers.Kernels;

/// <summary>Two products in a row, the feed-forward block of a layer: Y = act(X · W1ᵀ + b1) · W2ᵀ + b2.</summary>
/// <remarks>
/// A tile's products have rows of W as rows and rows of X as columns, which is how the next product wants its X packed. So
/// what lies between the two is never transposed, stored as rows, and packed again.
/// </remarks>
internal static unsafe class FeedForward
{
    // Whole tiles at every level: tasks of the first product write where others' rows begin otherwise.
    private const int InnerMultiple = 48;
    private const int BlockInnerMultiple = 2 * Blocks.Size;

    /// <summary>
    /// Whether <see cref="Run"/> takes m rows of X and these weights at this level; otherwise two calls of <see cref="MatMul"/> do it. W2 must be computed in
    /// the same way as W1 and, where products take X as bytes, be of its type.
    /// </summary>
    public static bool Fits(int m, WeightMatrix up, WeightMatrix down, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (up.N == 0) return false;
        ProductPath path = ProductPaths.Choose(options.Level, up.Type, m, up.K);
        if (path != ProductPaths.Choose(options.Level, down.Type, m, down.K)) return false;
        return path switch
        {
            ProductPath.Tiled => up.N % InnerMultiple == 0,
            ProductPath.TiledInBytes => up.N % BlockInnerMultiple == 0 && up.Type == down.Type,
            _ => false,
        };
    }

    /// <summary>
    /// Y [m, n] = act(X · W1ᵀ + b1) · W2ᵀ + b2 for X [m, k], W1 [inner, k] and W2 [n, inner]; only the second epilogue may have a residual. Y must not
    /// overlap X. The result does not depend on the threads.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit, or the sizes are not such that <see cref="Fits"/>.</exception>
    public static void Run(ReadOnlySpan<float> x, int m, WeightMatrix up, in Epilogue upEpilogue, WeightMatrix down, Span<float> y, in Epilogue downEpilogue,
        KernelOptions options)
    {
        if (down.K != up.N)
            throw new ArgumentException($"W2 has {down.K} columns; W1 has {up.N} rows, and the second product needs as many columns.", nameof(down));
        MatMul.CheckSizes(x.Length, m, up, (long)m * up.N, upEpilogue);
        MatMul.CheckSizes((long)m * up.N, m, down, y.Length, downEpilogue);
        if (!Fits(m, up, down, options) || !upEpilogue.Residual.IsEmpty)
            throw new ArgumentException(
                $"A feed-forward block of {m} rows over {up.N} needs more than {MatMul.StreamedRows} rows ({QuadTile.Columns} of floats at Avx512), "
                + $"a multiple of {InnerMultiple} (of {BlockInnerMultiple} for blocks of integers), weights of one type, no residual between, "
                + "and a level other than Reference; use MatMul.Run twice.", nameof(up));
        if (y.IsEmpty) return;
        fixed (float* px = x, py = y, upBias = upEpilogue.Bias, downBias = downEpilogue.Bias, residual = downEpilogue.Residual)
        fixed (byte* pUp = up.Data, pDown = down.Data)
        {
            ProductCall* calls = stackalloc ProductCall[]
            {
                new ProductCall(px, up, pUp, y: null, upEpilogue.Activation, upBias, residual: null),
                new ProductCall(x: null, down, pDown, py, downEpilogue.Activation, downBias, residual),
            };
            ProductPath path = ProductPaths.Choose(options.Level, up.Type, m, up.K);
            var first = (TiledProducts)ProductKernel.Of(path, options.Level, up.Type);
            var second = (TiledProducts)ProductKernel.Of(path, options.Level, down.Type);
            first.RunBoth(calls, second, m, MatMul.Threads(calls, 1, m, options.MaxThreads));
        }
    }
}
