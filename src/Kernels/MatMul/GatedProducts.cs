namespace ManagedTransformers.Kernels;

/// <summary>The feed-forward block of a layer with a gate: Y = (act(X · Wgᵀ + bg) ⊙ (X · W1ᵀ + b1)) · W2ᵀ + b2.</summary>
/// <remarks>As in <see cref="FeedForward"/> what lies between the products stays packed. Shazeer 2020, arXiv:2002.05202.</remarks>
internal static unsafe class GatedProducts
{
    /// <summary>
    /// Whether <see cref="Run"/> takes m rows of X and these weights at this level; otherwise calls of <see cref="MatMul"/> and
    /// <see cref="GatedActivation"/> do it.
    /// </summary>
    public static bool Fits(int m, WeightMatrix gate, WeightMatrix up, WeightMatrix down, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (up.N == 0 || (gate.N, gate.K, gate.Type) != (up.N, up.K, up.Type)) return false;
        ProductPath path = ProductPaths.Choose(options, up.Type, m, up.K);
        // Gated products are stored row by row, so that the last task may have any number of them.
        return path == ProductPath.Tiled ? path == ProductPaths.Choose(options, down.Type, m, down.K) : FeedForward.Fits(m, up, down, options);
    }

    /// <summary>
    /// Y [m, n] = (act(X · Wgᵀ + bg) ⊙ (X · W1ᵀ + b1)) · W2ᵀ + b2: a task computes the same rows of gate and W1, and multiplies them while they are near. Only
    /// the last epilogue may have a residual, and only the gate's an activation.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit, or the sizes are not such that <see cref="Fits"/>.</exception>
    public static void Run(ReadOnlySpan<float> x, int m, WeightMatrix gate, in Epilogue gateEpilogue, WeightMatrix up, in Epilogue upEpilogue,
        WeightMatrix down, Span<float> y, in Epilogue downEpilogue, KernelOptions options)
    {
        MatMul.CheckSizes(x.Length, m, gate, (long)m * gate.N, gateEpilogue);
        FeedForward.CheckSizes(x, m, up, upEpilogue, down, y, downEpilogue);
        if (!Fits(m, gate, up, down, options) || !gateEpilogue.Residual.IsEmpty || !upEpilogue.Residual.IsEmpty
            || upEpilogue.Activation != ActivationFunction.None)
            throw new ArgumentException(
                $"A gated feed-forward block of {m} rows over {up.N} needs more than {MatMul.StreamedRows} rows ({QuadTile.Columns} of floats at Avx512), a "
                + $"gate and W1 of one size and type, a multiple of {FeedForward.BlockInnerMultiple} for blocks of integers, no residual between, "
                + "no activation but the gate's, and a level other than Reference; use MatMul.Run and GatedActivation.Run.", nameof(up));
        if (y.IsEmpty) return;
        fixed (float* px = x, py = y, gateBias = gateEpilogue.Bias, upBias = upEpilogue.Bias, downBias = downEpilogue.Bias, residual = downEpilogue.Residual)
        fixed (byte* pGate = gate.Data, pUp = up.Data, pDown = down.Data)
        {
            ProductCall* calls = stackalloc ProductCall[]
            {
                new ProductCall(px, up, pUp, y: null, gateEpilogue.Activation, upBias, residual: null) { Gate = pGate },
                new ProductCall(x: null, down, pDown, py, downEpilogue.Activation, downBias, residual),
            };
            calls->Output.GateBias = gateBias;
            FeedForward.RunBoth(calls, m, up, down, options);
        }
    }
}
