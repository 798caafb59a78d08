using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Matrix multiplication with a weight: the heart of every layer.</summary>
public static unsafe class MatMul
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
        if (y.IsEmpty) return;
        switch (w.K == 0 ? KernelLevel.Reference : options.Level)
        {
            case KernelLevel.Avx512:   Run<Avx512, Vector512<float>, Tiles32>(x, m, w, y, epilogue, options.MaxThreads); break;
            case KernelLevel.Avx2:     Run<Avx2, Vector256<float>, Tiles16>(x, m, w, y, epilogue, options.MaxThreads); break;
            case KernelLevel.Portable: Run<Portable, Vector<float>, PortableTiles>(x, m, w, y, epilogue, options.MaxThreads); break;
            default:                   MatMulReference.Run(x, m, w, y, epilogue); break;
        }
    }

    private static void Run<S, V, TTiles>(ReadOnlySpan<float> x, int m, WeightMatrix w, Span<float> y, in Epilogue epilogue, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
    {
        fixed (float* px = x, py = y, bias = epilogue.Bias, residual = epilogue.Residual)
        fixed (byte* pw = w.Data)
        {
            var output = new Output { Y = py, N = w.N, Bias = bias, Activation = epilogue.Activation, Residual = residual };
            switch (w.Type)
            {
                case WeightType.F32:  Run<S, V, TTiles, F32Format>(px, m, pw, w.K, output, maxThreads); break;
                case WeightType.F16:  Run<S, V, TTiles, F16Format>(px, m, pw, w.K, output, maxThreads); break;
                case WeightType.BF16: Run<S, V, TTiles, BF16Format>(px, m, pw, w.K, output, maxThreads); break;
            }
        }
    }

    private static void Run<S, V, TTiles, TFormat>(float* x, int m, byte* w, int k, in Output output, int maxThreads)
        where S : struct, ISimd<V>
        where V : struct
        where TTiles : struct, ITiles
        where TFormat : struct, IWeightFormat
    {
        int threads = (long)m * k * output.N < Tiling.SerialWork ? 1 : maxThreads;
        if (m <= Tiling.GemvRows)
        {
            var gemv = new GemvJob<S, V, TFormat> { X = x, ScaledX = Scaled<S, V, TFormat>(x, m * k), M = m, K = k, W = w, Output = output };
            int perTask = GemvJob<S, V, TFormat>.RowsPerTask(k);
            WorkerPool.Shared.Run((output.N + perTask - 1) / perTask, threads, gemv);
            return;
        }

        // Blocks of X of equal height: W is read once for each.
        int blocks = (m + Tiling.RowBlock - 1) / Tiling.RowBlock, height = (m + blocks - 1) / blocks;
        float* packed = Scratch.ForCall((long)Packing.Padded(height, S.Width) * k);
        for (int row = 0; row < m; row += height)
        {
            int rows = Math.Min(height, m - row);
            var layout = new Panels(rows, S.Width, TTiles.MaxVectors);
            var pack = new PackRowsJob<S, V> { X = x + ((nint)row * k), M = rows, K = k, Layout = layout, Packed = packed };
            WorkerPool.Shared.Run(pack.Tasks, threads, pack);
            var gemm = new GemmJob<S, V, TTiles, TFormat>
            {
                PackedX = packed, Layout = layout, Row = row, M = rows, K = k, W = w, WeightRows = Tiling.WeightRows(output.N, threads), Output = output,
            };
            WorkerPool.Shared.Run(gemm.Tasks, threads, gemm);
        }
    }

    private static float* Scaled<S, V, TFormat>(float* x, int length)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        if (TFormat.InputScale == 1) return x;
        float* scaled = Scratch.ForCall(length);
        for (int i = 0; i < length; i++) scaled[i] = x[i] * TFormat.InputScale;
        return scaled;
    }
}
