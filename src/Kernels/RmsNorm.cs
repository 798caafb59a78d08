using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Normalisation by the root mean square.</summary>
internal static unsafe class RmsNorm
{
    /// <summary>y = x / sqrt(mean(x²) + eps) · weight, for each row.</summary>
    /// <param name="x">Hidden states, [rows, hidden]; hidden is the length of <paramref name="weight"/>.</param>
    /// <param name="weight">Gain, [hidden].</param>
    /// <param name="eps">Added to the mean square; rms_norm_eps.</param>
    /// <param name="y">Output, [rows, hidden]; may be <paramref name="x"/> itself.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>Zhang &amp; Sennrich 2019, arXiv:1910.07467. NaN in a row makes the whole row NaN; infinity makes it 0, and NaN in its own place.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or x is not whole rows.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float eps, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(x.Length, y.Length);
        int hidden = weight.Length;
        Check.WholeRows(x, hidden);
        if (x.IsEmpty) return;
        fixed (float* px = x, pw = weight, py = y)
        {
            var rows = new Rows { X = px, Weight = pw, Eps = eps, Y = py, Hidden = hidden };
            int count = x.Length / hidden, threads = x.Length < WorkerPool.SerialFloats ? 1 : options.MaxThreads;
            switch (options.Level)
            {
                case KernelLevel.Avx512: WorkerPool.Shared.Run(count, threads, new RmsNormJob<Avx512, Vector512<float>> { Rows = rows }); break;
                case KernelLevel.Avx2: WorkerPool.Shared.Run(count, threads, new RmsNormJob<Avx2, Vector256<float>> { Rows = rows }); break;
                case KernelLevel.Vector128: WorkerPool.Shared.Run(count, threads, new RmsNormJob<Simd128, Vector128<float>> { Rows = rows }); break;
                case KernelLevel.Portable: WorkerPool.Shared.Run(count, threads, new RmsNormJob<Portable, Vector<float>> { Rows = rows }); break;
                case KernelLevel.Reference:
                    for (int at = 0; at < x.Length; at += hidden)
                        NormReference.RmsNorm(x.Slice(at, hidden), weight, eps, y.Slice(at, hidden));
                    break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    internal struct Rows
    {
        public float* X;
        public float* Weight;
        public float Eps;
        public float* Y;
        public int Hidden;
    }
}

/// <summary>RMSNorm, one task per row.</summary>
internal unsafe struct RmsNormJob<S, V> : IJob where S : struct, ISimd<V>
{
    public RmsNorm.Rows Rows;

    /// <summary>One row: the mean square, then the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Execute(int task)
    {
        nint n = Rows.Hidden, whole = n - (n % S.Width);
        float* x = Rows.X + (task * n), y = Rows.Y + (task * n), weight = Rows.Weight;

        V squares = S.Broadcast(0f);
        for (nint i = 0; i < whole; i += S.Width)
        {
            V v = S.Load(x + i);
            squares = S.MultiplyAdd(v, v, squares);
        }
        float square = S.Sum(squares);
        for (nint i = whole; i < n; i++) square += x[i] * x[i];

        float scale = 1f / MathF.Sqrt((square / n) + Rows.Eps);
        V scales = S.Broadcast(scale);
        for (nint i = 0; i < whole; i += S.Width) S.Store(y + i, S.Multiply(S.Multiply(S.Load(x + i), scales), S.Load(weight + i)));
        for (nint i = whole; i < n; i++) y[i] = x[i] * scale * weight[i];
    }
}
