namespace ManagedTransformers.Kernels;

/// <summary>Matrix multiplication with a weight: the heart of every layer.</summary>
internal static unsafe class MatMul
{
    /// <summary>
    /// Up to this many rows a product streams W and keeps X near the core: a pass costs little more than that of one row. A row of Y
    /// then has the same bits whatever other rows are computed with it, so that a token's scores do not depend on the batch.
    /// </summary>
    public const int StreamedRows = 8;

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
        ProductPath path = ProductPaths.Choose(options.Level, w.Type, m, w.K);
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
                ProductPath path = ProductPaths.Choose(options.Level, type, m, calls[i].K);
                // packing many rows is a job of its own
                together = m <= StreamedRows ? WithSamePath(calls + i, count - i, m, type, options.Level) : ProductCall.WithSameX(calls + i, count - i);
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
    private static int WithSamePath(ProductCall* calls, int count, int m, WeightType type, KernelLevel level)
    {
        int same = 1;
        while (same < count && ProductPaths.Choose(level, type, m, calls[same].K) == ProductPaths.Choose(level, type, m, calls->K)) same++;
        return same;
    }
}
