using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Layer normalisation.</summary>
internal static unsafe class LayerNorm
{
    /// <summary>y = (x − mean(x)) / sqrt(var(x) + eps) · weight + bias, for each row.</summary>
    /// <param name="x">Hidden states, [rows, hidden]; hidden is the length of <paramref name="weight"/>.</param>
    /// <param name="weight">Gain, [hidden].</param>
    /// <param name="bias">Offset, [hidden].</param>
    /// <param name="eps">Added to the (biased) variance; layer_norm_eps.</param>
    /// <param name="y">Output, [rows, hidden]; may be <paramref name="x"/> itself.</param>
    /// <param name="options">Level and threads.</param>
    /// <remarks>Ba et al. 2016, arXiv:1607.06450. NaN or infinity in a row makes the whole row NaN.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or x is not whole rows.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float eps, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(weight.Length, bias.Length);
        Check.Same(x.Length, y.Length);
        int hidden = weight.Length;
        Check.WholeRows(x, hidden);
        if (x.IsEmpty) return;
        fixed (float* px = x, pw = weight, pb = bias, py = y)
        {
            var rows = new Rows { X = px, Weight = pw, Bias = pb, Eps = eps, Y = py, Hidden = hidden };
            int count = x.Length / hidden, threads = x.Length < WorkerPool.SerialFloats ? 1 : options.MaxThreads;
            switch (options.Level)
            {
                case KernelLevel.Avx512: WorkerPool.Shared.Run(count, threads, new LayerNormJob<Avx512, Vector512<float>> { Rows = rows }); break;
                case KernelLevel.Avx2: WorkerPool.Shared.Run(count, threads, new LayerNormJob<Avx2, Vector256<float>> { Rows = rows }); break;
                case KernelLevel.Vector128: WorkerPool.Shared.Run(count, threads, new LayerNormJob<Simd128, Vector128<float>> { Rows = rows }); break;
                case KernelLevel.Portable: WorkerPool.Shared.Run(count, threads, new LayerNormJob<Portable, Vector<float>> { Rows = rows }); break;
                case KernelLevel.Reference:
                    for (int at = 0; at < x.Length; at += hidden)
                        NormReference.LayerNorm(x.Slice(at, hidden), weight, bias, eps, y.Slice(at, hidden));
                    break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    internal struct Rows
    {
        public float* X;
        public float* Weight;
        public float* Bias;
        public float Eps;
        public float* Y;
        public int Hidden;
    }
}

/// <summary>LayerNorm, one task per row.</summary>
internal unsafe struct LayerNormJob<S, V> : IJob where S : struct, ISimd<V>
{
    public LayerNorm.Rows Rows;

    /// <summary>One row: mean, then variance around it (a one-pass variance would cancel), then the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public readonly void Execute(int task)
    {
        nint n = Rows.Hidden, whole = n - (n % S.Width);
        float* x = Rows.X + (task * n), y = Rows.Y + (task * n), weight = Rows.Weight, bias = Rows.Bias;

        V sums = S.Broadcast(0f);
        for (nint i = 0; i < whole; i += S.Width) sums = S.Add(sums, S.Load(x + i));
        float sum = S.Sum(sums);
        for (nint i = whole; i < n; i++) sum += x[i];
        float mean = sum / n;

        V means = S.Broadcast(mean), squares = S.Broadcast(0f);
        for (nint i = 0; i < whole; i += S.Width)
        {
            V centered = S.Subtract(S.Load(x + i), means);
            squares = S.MultiplyAdd(centered, centered, squares);
        }
        float square = S.Sum(squares);
        for (nint i = whole; i < n; i++) square += (x[i] - mean) * (x[i] - mean);

        float scale = 1f / MathF.Sqrt((square / n) + Rows.Eps);
        V scales = S.Broadcast(scale);
        for (nint i = 0; i < whole; i += S.Width)
        {
            V normed = S.Multiply(S.Subtract(S.Load(x + i), means), scales);
            S.Store(y + i, S.MultiplyAdd(normed, S.Load(weight + i), S.Load(bias + i)));
        }
        for (nint i = whole; i < n; i++) y[i] = ((x[i] - mean) * scale * weight[i]) + bias[i];
    }
}
