using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>Matrix multiplication with a weight: the heart of every layer.</summary>
internal static unsafe class MatMul
{
    /// <summary>
    /// Up to this many rows a product streams W and keeps X near the core: a pass costs little more than that of one row. A row of Y
    /// then has the same bits whatever other rows are computed with it, so that a token's scores do not depend on the batch.
    /// </summary>
    public const int StreamedRows = 8;

    /// <summary>The same for sequences that decode together, a token or a short draft of each: then this many rows stream W.</summary>
    public const int MaxStreamedRows = 64;

    /// <summary>
    /// From this many rows on, too, a row of Y has the same bits whatever other rows are computed with it: a prompt that is read in parts of at least this
    /// many tokens gives the same keys, values and scores however it is cut. Between the two, AVX-512 sums in another order.
    /// </summary>
    public const int TiledRows = QuadTile.Columns + 1;

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
        ProductPath path = ProductPaths.Choose(options, w.Type, m, w.K);
        if (path == ProductPath.Reference)
        {
            MatMulReference.Run(x, m, w, y, epilogue);
            return;
        }
        fixed (float* px = x, py = y, bias = epilogue.Bias, residual = epilogue.Residual)
        fixed (byte* pw = w.Data)
        {
            var call = new ProductCall(px, w, pw, py, epilogue.Activation, bias, residual);
            ProductKernel.Of(path, options.Level, w.Type).Run(&call, 1, m, Threads(&call, 1, m, options.MaxThreads));
        }
    }

    /// <summary>
    /// Two or three products (third may be default) that do not need each other, as the query, key and value of a layer: an X that several have is packed once,
    /// and threads meet once. Results do not depend on what is computed together.
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit m, n and k.</exception>
    public static void Run(int m, in Product first, in Product second, in Product third, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        bool three = third.Weight.N > 0;
        CheckSizes(first.X.Length, m, first.Weight, first.Y.Length, first.Epilogue);
        CheckSizes(second.X.Length, m, second.Weight, second.Y.Length, second.Epilogue);
        if (three) CheckSizes(third.X.Length, m, third.Weight, third.Y.Length, third.Epilogue);
        WeightType type = first.Weight.Type;
        bool joined = options.Level != KernelLevel.Reference && IsWork(first, type) && IsWork(second, type) && (!three || IsWork(third, type));
        if (!joined)
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
            int count = three ? 3 : 2, together;
            for (int i = 0; i < count; i += together)
            {
                ProductPath path = ProductPaths.Choose(options, type, m, calls[i].K);
                // packing many rows is a job of its own
                together = m <= options.StreamedRows ? WithSamePath(calls + i, count - i, m, type, options) : ProductCall.WithSameX(calls + i, count - i);
                ProductKernel.Of(path, options.Level, type).Run(calls + i, together, m, Threads(calls + i, together, m, options.MaxThreads));
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

    internal static int Threads(ProductCall* calls, int count, int m, int maxThreads)
    {
        long elements = 0;
        for (int i = 0; i < count; i++) elements += (long)calls[i].K * calls[i].Output.N;
        return Tiling.Threads(m, elements, maxThreads);
    }

    // How many products, the first one included, take the path of the first one.
    private static int WithSamePath(ProductCall* calls, int count, int m, WeightType type, KernelOptions options)
    {
        int same = 1;
        while (same < count && ProductPaths.Choose(options, type, m, calls[same].K) == ProductPaths.Choose(options, type, m, calls->K)) same++;
        return same;
    }
}

/// <summary>Two products in a row, the feed-forward block of a layer: Y = act(X · W1ᵀ + b1) · W2ᵀ + b2.</summary>
/// <remarks>
/// A tile's products have rows of W as rows and rows of X as columns, which is how the next product wants its X packed. So
/// what lies between the two is never transposed, stored as rows, and packed again.
/// </remarks>
internal static unsafe class FeedForward
{
    // Whole tiles at every level: tasks of the first product write where others' rows begin otherwise.
    private const int InnerMultiple = 48;
    internal const int BlockInnerMultiple = 2 * Blocks.Size;

    /// <summary>
    /// Whether <see cref="Run"/> takes m rows of X and these weights at this level; otherwise two calls of <see cref="MatMul"/> do it. W2 must be computed in
    /// the same way as W1 and, where products take X as bytes, be of its type.
    /// </summary>
    public static bool Fits(int m, WeightMatrix up, WeightMatrix down, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (up.N == 0) return false;
        ProductPath path = ProductPaths.Choose(options, up.Type, m, up.K);
        if (path != ProductPaths.Choose(options, down.Type, m, down.K)) return false;
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
        CheckSizes(x, m, up, upEpilogue, down, y, downEpilogue);
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
            RunBoth(calls, m, up, down, options);
        }
    }

    internal static void CheckSizes(ReadOnlySpan<float> x, int m, WeightMatrix up, in Epilogue upEpilogue, WeightMatrix down, Span<float> y,
        in Epilogue downEpilogue)
    {
        if (down.K != up.N)
            throw new ArgumentException($"W2 has {down.K} columns; W1 has {up.N} rows, and the second product needs as many columns.", nameof(down));
        MatMul.CheckSizes(x.Length, m, up, (long)m * up.N, upEpilogue);
        MatMul.CheckSizes((long)m * up.N, m, down, y.Length, downEpilogue);
    }

    internal static void RunBoth(ProductCall* calls, int m, WeightMatrix up, WeightMatrix down, KernelOptions options)
    {
        ProductPath path = ProductPaths.Choose(options, up.Type, m, up.K);
        var first = (TiledProducts)ProductKernel.Of(path, options.Level, up.Type);
        var second = (TiledProducts)ProductKernel.Of(path, options.Level, down.Type);
        first.RunBoth(calls, second, m, MatMul.Threads(calls, 1, m, options.MaxThreads));
    }
}

/// <summary>Where a product goes and what happens to it on the way: Y and the epilogue as pointers, which worker threads may hold.</summary>
internal unsafe struct Output
{
    public float* Y;                       // [m, N]
    public int N;                          // columns of Y
    public float* Bias;                    // [N] or null
    public float* GateBias;                // [N] or null: the bias of the gate, where there is one
    public ActivationFunction Activation;  // applied after the bias; to the gate alone, where there is one
    public float* Residual;                // [m, N] or null; may be Y

    /// <summary>Finishes a block of products and stores it at Y[row …, column …]. The products are overwritten.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Store<S, V>(float* products, nint stride, int row, int rows, int column, int columns) where S : struct, ISimd<V>
    {
        for (int r = 0; r < rows; r++)
        {
            float* c = products + (r * stride);
            nint at = ((nint)(row + r) * N) + column;
            if (Bias != null) Sum.Body<S, V>(c, Bias + column, c, columns);
            if (Activation != ActivationFunction.None) Elementwise.Body<S, V>(Activation, c, c, columns);
            if (Residual != null) Sum.Body<S, V>(c, Residual + at, Y + at, columns);
            else Elementwise.Body<S, V>(ActivationFunction.None, c, Y + at, columns);
        }
    }

    /// <summary>
    /// Finishes a block of products [columns, stride] that has rows of W as its rows and stores it at Y[row …, column …], transposed. The products are
    /// overwritten; a row of them has room for rows, rounded up to whole vectors, and block for Width × Width floats.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void StoreTransposed<S, V>(float* products, nint stride, int column, int columns, int row, int rows, float* block)
        where S : struct, ISimd<V>
    {
        Finish<S, V>(products, stride, column, columns, rows);
        for (int r = 0; r < rows; r += S.Width)
        {
            int height = Math.Min(S.Width, rows - r);
            for (int j = 0; j < columns; j += S.Width)
            {
                int width = Math.Min(S.Width, columns - j);
                nint at = ((nint)(row + r) * N) + column + j;
                if (Residual == null && height == S.Width && width == S.Width)
                    S.Transpose(products + (j * stride) + r, stride, Y + at, N);
                else
                    StoreBlock<S, V>(products + (j * stride) + r, stride, at, height, width, block);
            }
        }
    }

    /// <summary>Bias and activation of products that have rows of W as their rows, in place.</summary>
    public readonly void Finish<S, V>(float* products, nint stride, int column, int columns, int rows) where S : struct, ISimd<V>
    {
        for (int j = 0; j < columns; j++)
        {
            float* c = products + (j * stride);
            if (Bias != null) Elementwise.Shift<S, V>(c, Bias[column + j], rows);
            if (Activation != ActivationFunction.None) Elementwise.Body<S, V>(Activation, c, c, rows);
        }
    }

    /// <summary>
    /// to[j] = act(gates[j] + bias) · (products[j] + bias) for rows of W, whose products with rows of X lie stride apart. Both are overwritten.
    /// </summary>
    public readonly void FinishGated<S, V>(float* gates, float* products, nint stride, int column, int columns, int rows, float* to, nint toStride)
        where S : struct, ISimd<V>
    {
        for (int j = 0; j < columns; j++)
        {
            float* gate = gates + (j * stride), c = products + (j * stride);
            if (GateBias != null) Elementwise.Shift<S, V>(gate, GateBias[column + j], rows);
            if (Bias != null) Elementwise.Shift<S, V>(c, Bias[column + j], rows);
            Elementwise.Body<S, V>(Activation, gate, gate, rows);
            Elementwise.Multiply<S, V>(gate, c, to + (j * toStride), rows);
        }
    }

    private readonly void StoreBlock<S, V>(float* products, nint stride, nint at, int height, int width, float* block) where S : struct, ISimd<V>
    {
        if (width == S.Width)
        {
            S.Transpose(products, stride, block, S.Width);
        }
        else
        {
            for (int j = 0; j < width; j++)
            {
                for (int r = 0; r < height; r++) block[(r * S.Width) + j] = products[(j * stride) + r];
            }
        }
        for (int r = 0; r < height; r++, at += N)
        {
            if (Residual != null) Sum.Body<S, V>(block + (r * S.Width), Residual + at, Y + at, width);
            else Elementwise.Body<S, V>(ActivationFunction.None, block + (r * S.Width), Y + at, width);
        }
    }
}
