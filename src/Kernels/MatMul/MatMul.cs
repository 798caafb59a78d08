using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Matrix multiplication with a weight: the heart of every layer.</summary>
public static unsafe class MatMul
{
    /// <summary>
    /// Up to so many rows a product streams W and keeps X near the core: a pass costs little more than that of one row. A row of Y
    /// then has the same bits whatever other rows are computed with it, so that a token's scores do not depend on the batch.
    /// </summary>
    public const int StreamedRows = 8;

    // Rows that are whole vectors of bytes at every level, so that levels agree.
    private const int NibbleMultiple = 2 * Blocks.Pair;

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
        CheckSizes(x.Length, m, w, y.Length, epilogue);
        if (y.IsEmpty) return;
        if (w.K == 0 || options.Level == KernelLevel.Reference)
        {
            MatMulReference.Run(x, m, w, y, epilogue);
            return;
        }
        fixed (float* py = y, bias = epilogue.Bias, residual = epilogue.Residual)
        fixed (byte* pw = w.Data)
        {
            byte* weight = pw;
            var output = new Output { Y = py, N = w.N, Bias = bias, Activation = epilogue.Activation, Residual = residual };
            Run(x, m, w.K, w.Type, &weight, &output, 1, options);
        }
    }

    /// <summary>Three products with the same X, as the query, key and value of a layer are: X is packed once, and threads meet once.</summary>
    /// <param name="x">X, row-major [m, k].</param>
    /// <param name="m">Rows of X and of each Y.</param>
    /// <param name="first">The first product. All weights have k columns.</param>
    /// <param name="second">The second one.</param>
    /// <param name="third">The third one, or default.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads, nor on what is computed together.</param>
    /// <exception cref="ArgumentException">A length does not fit m, n and k.</exception>
    public static void Run(ReadOnlySpan<float> x, int m, in Product first, in Product second, in Product third, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool three = third.Weight.N > 0;
        CheckSizes(x.Length, m, first.Weight, first.Y.Length, first.Epilogue);
        CheckSizes(x.Length, m, second.Weight, second.Y.Length, second.Epilogue);
        if (three) CheckSizes(x.Length, m, third.Weight, third.Y.Length, third.Epilogue);
        bool together = options.Level != KernelLevel.Reference && x.Length > 0 && first.Weight.N > 0 && second.Weight.N > 0
            && first.Weight.Type == second.Weight.Type && (!three || first.Weight.Type == third.Weight.Type);
        if (!together)
        {
            Run(x, m, first.Weight, first.Y, first.Epilogue, options);
            Run(x, m, second.Weight, second.Y, second.Epilogue, options);
            if (three) Run(x, m, third.Weight, third.Y, third.Epilogue, options);
            return;
        }

        fixed (byte* w0 = first.Weight.Data, w1 = second.Weight.Data, w2 = third.Weight.Data)
        fixed (float* y0 = first.Y, y1 = second.Y, y2 = third.Y)
        fixed (float* bias0 = first.Epilogue.Bias, bias1 = second.Epilogue.Bias, bias2 = third.Epilogue.Bias)
        fixed (float* residual0 = first.Epilogue.Residual, residual1 = second.Epilogue.Residual, residual2 = third.Epilogue.Residual)
        {
            byte** weights = stackalloc byte*[] { w0, w1, w2 };
            Output* outputs = stackalloc Output[]
            {
                new Output { Y = y0, N = first.Weight.N, Bias = bias0, Activation = first.Epilogue.Activation, Residual = residual0 },
                new Output { Y = y1, N = second.Weight.N, Bias = bias1, Activation = second.Epilogue.Activation, Residual = residual1 },
                new Output { Y = y2, N = third.Weight.N, Bias = bias2, Activation = third.Epilogue.Activation, Residual = residual2 },
            };
            Run(x, m, first.Weight.K, first.Weight.Type, weights, outputs, three ? 3 : 2, options);
        }
    }

    internal static void CheckSizes(long x, int m, WeightMatrix w, long y, in Epilogue epilogue)
    {
        Check.NotNegative(m);
        Check.Length(x, (long)m * w.K, $"x [m {m}, k {w.K}]", "x.Length");
        Check.Length(y, (long)m * w.N, $"y [m {m}, n {w.N}]", "y.Length");
        if (!epilogue.Bias.IsEmpty) Check.Length(epilogue.Bias.Length, w.N, $"a bias of n {w.N}");
        if (!epilogue.Residual.IsEmpty) Check.Length(epilogue.Residual.Length, y, $"a residual [m {m}, n {w.N}]");
        Activations.CheckKnown(epilogue.Activation);
    }

    private static void Run(ReadOnlySpan<float> x, int m, int k, WeightType type, byte** weights, Output* outputs, int count, KernelOptions options)
    {
        bool bytes = m > StreamedRows && WeightMatrix.IsBlocked(type), nibbles = m <= StreamedRows && type == WeightType.Int4 && k % NibbleMultiple == 0;
        fixed (float* px = x)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512 when bytes: BlockGemm.Run<Avx512, Vector512<float>, BlockTiles32>(px, m, k, type, weights, outputs, count, options.MaxThreads); break;
                case KernelLevel.Avx512 when nibbles: RunBlockGemv<Avx512, Vector512<float>, Int4Format, NibbleDots<Avx512, Vector512<float>>>(px, m, k, weights, outputs, count, options.MaxThreads); break;
                case KernelLevel.Avx512:            Run<Avx512, Vector512<float>, Tiles32>(px, m, k, type, weights, outputs, count, options.MaxThreads); break;
                case KernelLevel.Avx2 when bytes:   BlockGemm.Run<Avx2, Vector256<float>, BlockTiles16>(px, m, k, type, weights, outputs, count, options.MaxThreads); break;
                case KernelLevel.Avx2 when nibbles: RunBlockGemv<Avx2, Vector256<float>, Int4Format, NibbleDots<Avx2, Vector256<float>>>(px, m, k, weights, outputs, count, options.MaxThreads); break;
                case KernelLevel.Avx2:              Run<Avx2, Vector256<float>, Tiles16>(px, m, k, type, weights, outputs, count, options.MaxThreads); break;
                default:                            Run<Portable, Vector<float>, PortableTiles>(px, m, k, type, weights, outputs, count, options.MaxThreads); break;
            }
        }
    }

    private static void Run<S, V, TTiles>(float* x, int m, int k, WeightType type, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        switch (type)
        {
            case WeightType.F32:  Run<S, V, TTiles, F32Format>(x, m, k, weights, outputs, count, maxThreads); break;
            case WeightType.F16:  Run<S, V, TTiles, F16Format>(x, m, k, weights, outputs, count, maxThreads); break;
            case WeightType.BF16: Run<S, V, TTiles, BF16Format>(x, m, k, weights, outputs, count, maxThreads); break;
            case WeightType.Int8: RunBlocks<S, V, TTiles, Int8Format>(x, m, k, weights, outputs, count, maxThreads); break;
            case WeightType.Int4: RunBlocks<S, V, TTiles, Int4Format>(x, m, k, weights, outputs, count, maxThreads); break;
        }
    }

    private static void RunBlocks<S, V, TTiles, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IBlockFormat
    {
        if (m <= StreamedRows) RunBlockGemv<S, V, TFormat, Int16Dots<S, V, TFormat>>(x, m, k, weights, outputs, count, maxThreads);
        else RunGemm<S, V, TTiles, TFormat>(x, m, k, weights, outputs, count, Threads(m, k, outputs, count, maxThreads));
    }

    private static void RunBlockGemv<S, V, TFormat, TDots>(float* x, int m, int k, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
        where TDots : struct, IBlockDots<V>
    {
        var input = BlockInput.Quantize<S, V, TFormat, TDots>(x, m, k);
        BlockGemvJob<S, V, TFormat, TDots>* jobs = stackalloc BlockGemvJob<S, V, TFormat, TDots>[count];
        for (int i = 0; i < count; i++)
            jobs[i] = new BlockGemvJob<S, V, TFormat, TDots> { Input = input, W = weights[i], Output = outputs[i] };
        JobGroup<BlockGemvJob<S, V, TFormat, TDots>>.Run(jobs, count, Threads(m, k, outputs, count, maxThreads));
    }

    private static void Run<S, V, TTiles, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int count, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IWeightFormat
    {
        int threads = Threads(m, k, outputs, count, maxThreads);
        if (m <= StreamedRows) RunGemv<S, V, TFormat>(x, m, k, weights, outputs, count, threads);
        else RunGemm<S, V, TTiles, TFormat>(x, m, k, weights, outputs, count, threads);
    }

    internal static int Threads(int m, int k, Output* outputs, int count, int maxThreads)
    {
        int n = 0;
        for (int i = 0; i < count; i++) n += outputs[i].N;
        return Tiling.Threads(m, k, n, maxThreads);
    }

    private static void RunGemm<S, V, TTiles, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int count, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IRowFormat
    {
        EqualBlocks blocks = Gemm.Blocks(m);
        float* packed = Scratch.ForCall(Gemm.PackedLength(blocks, k));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Gemm.Pack<S, V, TTiles>(x + ((nint)row * k), rows, k, packed, threads);
            Gemm.Run<S, V, TTiles, TFormat>(packed, layout, row, rows, k, weights, outputs, count, packedY: null, threads);
        }
    }

    private static void RunGemv<S, V, TFormat>(float* x, int m, int k, byte** weights, Output* outputs, int count, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        GemvJob<S, V, TFormat>* jobs = stackalloc GemvJob<S, V, TFormat>[count];
        var groups = new GemvGroups(m, S.Registers);
        float* grouped = x;
        if (m > 1 || TFormat.InputScale != 1)
        {
            grouped = Scratch.ForCall((long)groups.Padded * k);
            groups.Lay<S, V>(x, k, TFormat.InputScale, grouped);
        }
        for (int i = 0; i < count; i++)
            jobs[i] = new GemvJob<S, V, TFormat> { X = x, Grouped = grouped, Groups = groups, K = k, W = weights[i], Output = outputs[i] };
        JobGroup<GemvJob<S, V, TFormat>>.Run(jobs, count, threads);
    }
}
