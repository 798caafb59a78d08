using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Two products in a row, the feed-forward block of a layer: Y = act(X · W1ᵀ + b1) · W2ᵀ + b2.</summary>
/// <remarks>
/// A tile's products have rows of W as rows and rows of X side by side, which is how the next product wants its X packed. So
/// what lies between the two is never transposed, stored as rows, and packed again.
/// </remarks>
public static unsafe class FeedForward
{
    // Whole tiles at every level: tasks of the first product write where others' rows begin otherwise.
    private const int InnerMultiple = 48;
    private const int BlockInnerMultiple = 2 * Blocks.Size;

    /// <summary>Whether <see cref="Run"/> takes a product of this size at this level; otherwise two calls of <see cref="MatMul"/> do it.</summary>
    /// <param name="m">Rows of X.</param>
    /// <param name="up">W1.</param>
    /// <param name="down">W2. Where one stores blocks of integers both do, of one type: their products take X in bytes, not as floats.</param>
    /// <param name="options">Level and threads.</param>
    public static bool Fits(int m, WeightMatrix up, WeightMatrix down, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool blocked = WeightMatrix.IsBlocked(up.Type) || WeightMatrix.IsBlocked(down.Type);
        if (options.Level == KernelLevel.Reference || m <= MatMul.StreamedRows || up.N == 0)
            return false;
        if (!blocked && MatMul.TakesQuads(m, options.Level))
            return false;                                            // X is packed in another way there
        return blocked
            ? up.Type == down.Type && up.N % BlockInnerMultiple == 0 && options.Level != KernelLevel.Portable
            : up.N % InnerMultiple == 0;
    }

    /// <summary>Y = act(X · W1ᵀ + b1) · W2ᵀ + b2.</summary>
    /// <param name="x">X, row-major [m, k].</param>
    /// <param name="m">Rows of X and Y: tokens.</param>
    /// <param name="up">W1, [inner, k].</param>
    /// <param name="upEpilogue">Bias and activation of the first product; no residual.</param>
    /// <param name="down">W2, [n, inner].</param>
    /// <param name="y">Y, row-major [m, n]; must not overlap <paramref name="x"/>.</param>
    /// <param name="downEpilogue">Bias, activation and residual of the second product.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads.</param>
    /// <exception cref="ArgumentException">A length does not fit, or the sizes are not such that <see cref="Fits"/>.</exception>
    public static void Run(ReadOnlySpan<float> x, int m, WeightMatrix up, in Epilogue upEpilogue, WeightMatrix down, Span<float> y, in Epilogue downEpilogue, KernelOptions options)
    {
        if (down.K != up.N) throw new ArgumentException($"W2 has {down.K} columns; W1 has {up.N} rows, and the second product needs as many columns.", nameof(down));
        MatMul.CheckSizes(x.Length, m, up, (long)m * up.N, upEpilogue);
        MatMul.CheckSizes((long)m * up.N, m, down, y.Length, downEpilogue);
        if (!Fits(m, up, down, options) || !upEpilogue.Residual.IsEmpty || down.K == 0 || up.K == 0)
            throw new ArgumentException($"A feed-forward block of {m} rows over {up.N} needs more than {MatMul.StreamedRows} rows ({QuadTile.Columns} of floats at Avx512), a multiple of {InnerMultiple} (of {BlockInnerMultiple} for blocks of integers), weights alike, no residual between, and a level other than Reference; use MatMul.Run twice.", nameof(up));
        if (y.IsEmpty) return;
        fixed (float* px = x, py = y, upBias = upEpilogue.Bias, downBias = downEpilogue.Bias, residual = downEpilogue.Residual)
        fixed (byte* pUp = up.Data, pDown = down.Data)
        {
            ProductCall* calls = stackalloc ProductCall[]
            {
                new ProductCall(px, up, pUp, y: null, upEpilogue.Activation, upBias, residual: null),
                new ProductCall(x: null, down, pDown, py, downEpilogue.Activation, downBias, residual),
            };
            int threads = MatMul.Threads(calls, 1, m, options.MaxThreads);
            bool bytes = WeightMatrix.IsBlocked(up.Type);
            switch (options.Level)
            {
                case KernelLevel.Avx512 when bytes: BlockGemm.FeedForward<Avx512, Vector512<float>, BlockTiles32>(calls, m, up.Type, threads); break;
                case KernelLevel.Avx512:            Run<Avx512, Vector512<float>, Tiles32>(calls, m, up.Type, down.Type, threads); break;
                case KernelLevel.Avx2 when bytes:   BlockGemm.FeedForward<Avx2, Vector256<float>, BlockTiles16>(calls, m, up.Type, threads); break;
                case KernelLevel.Avx2:              Run<Avx2, Vector256<float>, Tiles16>(calls, m, up.Type, down.Type, threads); break;
                default:                            Run<Portable, Vector<float>, PortableTiles>(calls, m, up.Type, down.Type, threads); break;
            }
        }
    }

    private static void Run<S, V, TTiles>(ProductCall* calls, int m, WeightType up, WeightType down, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        int k = calls->K, inner = calls->Output.N;
        EqualBlocks blocks = Gemm.Blocks(m);
        long packedLength = Gemm.PackedLength(blocks, k);
        float* packed = Scratch.ForCall(packedLength + Gemm.PackedLength(blocks, inner)), between = packed + packedLength;
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Gemm.Pack<S, V, TTiles>(calls->X + ((nint)row * k), rows, k, packed, threads);
            Gemm.Run<S, V, TTiles>(up, packed, layout, row, rows, calls[0], between, threads);
            Gemm.Run<S, V, TTiles>(down, between, layout, row, rows, calls[1], packedY: null, threads);
        }
    }
}
