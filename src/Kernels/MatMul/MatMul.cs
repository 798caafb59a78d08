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
        fixed (float* px = x, py = y, bias = epilogue.Bias, residual = epilogue.Residual)
        fixed (byte* pw = w.Data)
        {
            var call = new ProductCall(px, w, pw, py, epilogue.Activation, bias, residual);
            Run(&call, 1, m, w.Type, options);
        }
    }

    /// <summary>Two or three products that do not need each other, as the query, key and value of a layer: an X that several have is packed once, and threads meet once.</summary>
    /// <param name="m">Rows of each X and Y.</param>
    /// <param name="first">The first product.</param>
    /// <param name="second">The second one.</param>
    /// <param name="third">The third one, or default.</param>
    /// <param name="options">Level and threads; the result does not depend on the threads, nor on what is computed together.</param>
    /// <exception cref="ArgumentException">A length does not fit m, n and k.</exception>
    public static void Run(int m, in Product first, in Product second, in Product third, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool three = third.Weight.N > 0;
        CheckSizes(first.X.Length, m, first.Weight, first.Y.Length, first.Epilogue);
        CheckSizes(second.X.Length, m, second.Weight, second.Y.Length, second.Epilogue);
        if (three) CheckSizes(third.X.Length, m, third.Weight, third.Y.Length, third.Epilogue);
        WeightType type = first.Weight.Type;
        bool together = options.Level != KernelLevel.Reference && IsWork(first, type) && IsWork(second, type) && (!three || IsWork(third, type));
        if (!together)
        {
            Run(first.X, m, first.Weight, first.Y, first.Epilogue, options);
            Run(second.X, m, second.Weight, second.Y, second.Epilogue, options);
            if (three) Run(third.X, m, third.Weight, third.Y, third.Epilogue, options);
            return;
        }

        fixed (float* x0 = first.X, x1 = second.X, x2 = third.X)
        fixed (byte* w0 = first.Weight.Data, w1 = second.Weight.Data, w2 = third.Weight.Data)
        fixed (float* y0 = first.Y, y1 = second.Y, y2 = third.Y)
        fixed (float* bias0 = first.Epilogue.Bias, bias1 = second.Epilogue.Bias, bias2 = third.Epilogue.Bias)
        fixed (float* residual0 = first.Epilogue.Residual, residual1 = second.Epilogue.Residual, residual2 = third.Epilogue.Residual)
        {
            ProductCall* calls = stackalloc ProductCall[]
            {
                new ProductCall(x0, first.Weight, w0, y0, first.Epilogue.Activation, bias0, residual0),
                new ProductCall(x1, second.Weight, w1, y1, second.Epilogue.Activation, bias1, residual1),
                new ProductCall(x2, third.Weight, w2, y2, third.Epilogue.Activation, bias2, residual2),
            };
            int count = three ? 3 : 2, joint;
            for (int i = 0; i < count; i += joint)
            {
                joint = m <= StreamedRows ? WithSameDots(calls + i, count - i, type) : ProductCall.WithSameX(calls + i, count - i);    // many rows are packed, which is a job of its own
                Run(calls + i, joint, m, type, options);
            }
        }

        static bool IsWork(in Product product, WeightType type) => product.X.Length > 0 && product.Weight.N > 0 && product.Weight.Type == type;
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

    private static void Run(ProductCall* calls, int count, int m, WeightType type, KernelOptions options)
    {
        bool bytes = m > StreamedRows && WeightMatrix.IsBlocked(type), nibbles = m <= StreamedRows && HasNibbleDots(type, calls->K);
        int threads = Threads(calls, count, m, options.MaxThreads);
        switch (options.Level)
        {
            case KernelLevel.Avx512 when bytes: BlockGemm.Run<Avx512, Vector512<float>, BlockTiles32>(calls, count, m, type, threads); break;
            case KernelLevel.Avx512 when nibbles: RunBlockGemv<Avx512, Vector512<float>, Int4Format, NibbleDots<Avx512, Vector512<float>>>(calls, count, m, threads); break;
            case KernelLevel.Avx512 when TakesQuads(m, options.Level): RunQuads(calls, count, m, type, threads); break;
            case KernelLevel.Avx512:            Run<Avx512, Vector512<float>, Tiles32>(calls, count, m, type, threads); break;
            case KernelLevel.Avx2 when bytes:   BlockGemm.Run<Avx2, Vector256<float>, BlockTiles16>(calls, count, m, type, threads); break;
            case KernelLevel.Avx2 when nibbles: RunBlockGemv<Avx2, Vector256<float>, Int4Format, NibbleDots<Avx2, Vector256<float>>>(calls, count, m, threads); break;
            case KernelLevel.Avx2:              Run<Avx2, Vector256<float>, Tiles16>(calls, count, m, type, threads); break;
            default:                            Run<Portable, Vector<float>, PortableTiles>(calls, count, m, type, threads); break;
        }
    }

    /// <summary>Whether a product with so many rows of X, and a W of floats, is one of <see cref="QuadGemmJob{TFormat}"/>.</summary>
    internal static bool TakesQuads(int m, KernelLevel level) => level == KernelLevel.Avx512 && m is > StreamedRows and <= QuadTile.Columns;

    private static bool HasNibbleDots(WeightType type, int k) => type == WeightType.Int4 && k % NibbleMultiple == 0;

    private static int WithSameDots(ProductCall* calls, int count, WeightType type)
    {
        int same = 1;
        while (same < count && HasNibbleDots(type, calls[same].K) == HasNibbleDots(type, calls->K)) same++;
        return same;
    }

    private static void Run<S, V, TTiles>(ProductCall* calls, int count, int m, WeightType type, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        switch (type)
        {
            case WeightType.F32:  Run<S, V, TTiles, F32Format>(calls, count, m, threads); break;
            case WeightType.F16:  Run<S, V, TTiles, F16Format>(calls, count, m, threads); break;
            case WeightType.BF16: Run<S, V, TTiles, BF16Format>(calls, count, m, threads); break;
            case WeightType.Int8: RunBlocks<S, V, TTiles, Int8Format>(calls, count, m, threads); break;
            case WeightType.Int4: RunBlocks<S, V, TTiles, Int4Format>(calls, count, m, threads); break;
        }
    }

    private static void RunBlocks<S, V, TTiles, TFormat>(ProductCall* calls, int count, int m, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IBlockFormat
    {
        if (m <= StreamedRows) RunBlockGemv<S, V, TFormat, Int16Dots<S, V, TFormat>>(calls, count, m, threads);
        else RunGemm<S, V, TTiles, TFormat>(calls, count, m, threads);
    }

    private static void Run<S, V, TTiles, TFormat>(ProductCall* calls, int count, int m, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IWeightFormat
    {
        if (m <= StreamedRows) RunGemv<S, V, TFormat>(calls, count, m, threads);
        else RunGemm<S, V, TTiles, TFormat>(calls, count, m, threads);
    }

    internal static int Threads(ProductCall* calls, int count, int m, int maxThreads)
    {
        long elements = 0;
        for (int i = 0; i < count; i++) elements += (long)calls[i].K * calls[i].Output.N;
        return Tiling.Threads(m, elements, maxThreads);
    }

    private static void RunQuads(ProductCall* calls, int count, int m, WeightType type, int threads)
    {
        switch (type)
        {
            case WeightType.F32:  QuadGemmJob<F32Format>.Run(calls, count, m, threads); break;
            case WeightType.F16:  QuadGemmJob<F16Format>.Run(calls, count, m, threads); break;
            case WeightType.BF16: QuadGemmJob<BF16Format>.Run(calls, count, m, threads); break;
        }
    }

    // Many rows of one X.
    private static void RunGemm<S, V, TTiles, TFormat>(ProductCall* calls, int count, int m, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IRowFormat
    {
        EqualBlocks blocks = Gemm.Blocks(m);
        float* packed = Scratch.ForCall(Gemm.PackedLength(blocks, calls->K));
        for (int block = 0; block < blocks.Count; block++)
        {
            (int row, int rows) = blocks[block];
            Panels layout = Gemm.Pack<S, V, TTiles>(calls->X + ((nint)row * calls->K), rows, calls->K, packed, threads);
            Gemm.Run<S, V, TTiles, TFormat>(packed, layout, row, rows, calls, count, packedY: null, threads);
        }
    }

    // Few rows, each product with an X of its own or that of the one before.
    private static void RunGemv<S, V, TFormat>(ProductCall* calls, int count, int m, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        GemvJob<S, V, TFormat>* jobs = stackalloc GemvJob<S, V, TFormat>[count];
        var groups = new GemvGroups(m, S.Registers);
        bool lay = m > 1 || TFormat.InputScale != 1;
        long length = 0;
        for (int i = 0; i < count; i++) length += (long)groups.Padded * calls[i].K;
        float* memory = lay ? Scratch.ForCall(length) : null;
        for (int i = 0, same; i < count; i += same)
        {
            float* x = calls[i].X, grouped = x;
            int k = calls[i].K;
            if (lay)
            {
                grouped = memory;
                groups.Lay<S, V>(x, k, TFormat.InputScale, grouped);
                memory += (nint)groups.Padded * k;
            }
            same = ProductCall.WithSameX(calls + i, count - i);
            for (int j = i; j < i + same; j++)
                jobs[j] = new GemvJob<S, V, TFormat> { X = x, Grouped = grouped, Groups = groups, K = k, W = calls[j].W, Output = calls[j].Output };
        }
        JobGroup<GemvJob<S, V, TFormat>>.Run(jobs, count, threads);
    }

    private static void RunBlockGemv<S, V, TFormat, TDots>(ProductCall* calls, int count, int m, int threads)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
        where TDots : struct, IBlockDots<V>
    {
        BlockGemvJob<S, V, TFormat, TDots>* jobs = stackalloc BlockGemvJob<S, V, TFormat, TDots>[count];
        long length = 0;
        for (int i = 0; i < count; i++) length += BlockInput.Length<S, V, TDots>(m, calls[i].K);
        float* memory = Scratch.ForCall(length);
        for (int i = 0, same; i < count; i += same)
        {
            var input = BlockInput.Quantize<S, V, TFormat, TDots>(calls[i].X, m, calls[i].K, memory);
            memory += BlockInput.Length<S, V, TDots>(m, calls[i].K);
            same = ProductCall.WithSameX(calls + i, count - i);
            for (int j = i; j < i + same; j++)
                jobs[j] = new BlockGemvJob<S, V, TFormat, TDots> { Input = input, W = calls[j].W, Threads = threads, Output = calls[j].Output };
        }
        JobGroup<BlockGemvJob<S, V, TFormat, TDots>>.Run(jobs, count, threads);
    }
}
