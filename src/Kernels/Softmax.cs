using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>Softmax and its logarithmic denominator, of one row.</summary>
internal static unsafe class Softmax
{
    /// <summary>y = exp(x − max(x)) / Σ exp(x − max(x)).</summary>
    /// <param name="x">One row of scores.</param>
    /// <param name="y">As long as <paramref name="x"/>; may be <paramref name="x"/> itself.</param>
    /// <param name="options">Level; one row runs on one thread.</param>
    /// <remarks>A row with NaN or +∞, or of −∞ only, becomes NaN, as in PyTorch.</remarks>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Run(ReadOnlySpan<float> x, Span<float> y, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Same(x.Length, y.Length);
        fixed (float* px = x, py = y)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: SoftmaxRow.Run<Avx512, Vector512<float>>(px, py, x.Length); break;
                case KernelLevel.Avx2: SoftmaxRow.Run<Avx2, Vector256<float>>(px, py, x.Length); break;
                case KernelLevel.Vector128: SoftmaxRow.Run<Simd128, Vector128<float>>(px, py, x.Length); break;
                case KernelLevel.Portable: SoftmaxRow.Run<Portable, Vector<float>>(px, py, x.Length); break;
                case KernelLevel.Reference: SoftmaxReference.Run(x, y); break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    /// <summary>log Σ exp(x), without overflow; −∞ for an empty row.</summary>
    /// <param name="x">One row of scores.</param>
    /// <param name="options">Level; one row runs on one thread.</param>
    /// <remarks>NaN in x gives NaN; otherwise +∞ in x gives +∞, and −∞ only gives −∞, as torch.logsumexp does.</remarks>
    public static double LogSumExp(ReadOnlySpan<float> x, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        double result;
        fixed (float* px = x)
        {
            result = options.Level switch
            {
                KernelLevel.Avx512 => SoftmaxRow.LogSumExp<Avx512, Vector512<float>>(px, x.Length),
                KernelLevel.Avx2 => SoftmaxRow.LogSumExp<Avx2, Vector256<float>>(px, x.Length),
                KernelLevel.Vector128 => SoftmaxRow.LogSumExp<Simd128, Vector128<float>>(px, x.Length),
                KernelLevel.Portable => SoftmaxRow.LogSumExp<Portable, Vector<float>>(px, x.Length),
                KernelLevel.Reference => double.NaN,
                _ => throw KernelDispatch.Unknown(options.Level),
            };
        }
        // Rows with NaN or infinity, rare, and all at level Reference.
        return double.IsFinite(result) ? result : SoftmaxReference.LogSumExp(x);
    }
}

/// <summary>The steps of a softmax over one row.</summary>
internal static unsafe class SoftmaxRow
{
    private const int NarrowBlock = 1024;

    /// <summary>y = softmax(x) · factor; y may be x.</summary>
    public static void Run<S, V>(float* x, float* y, nint length, float factor = 1) where S : struct, ISimd<V>
    {
        float max = Max<S, V>(x, length), sum = 0;
        // Beside a large exponential a lane loses the small ones that it adds later: few lanes add up less of a vocabulary at once.
        nint block = S.Width <= 4 ? NarrowBlock : Math.Max(1, length);
        for (nint i = 0; i < length; i += block) sum += Exp<S, V>(x + i, y + i, Math.Min(block, length - i), max);
        Scale<S, V>(y, length, factor / sum);
    }

    /// <summary>max(x) + log Σ exp(x − max(x)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static double LogSumExp<S, V>(float* x, nint length) where S : struct, ISimd<V>
    {
        float max = Max<S, V>(x, length);
        V maxima = S.Broadcast(max), sums = S.Broadcast(0f);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
            sums = S.Add(sums, VectorMath.Exp<S, V>(S.Subtract(S.Load(x + i), maxima)));
        double sum = S.Sum(sums);
        for (; i < length; i++) sum += Math.Exp(x[i] - max);
        return max + Math.Log(sum);
    }

    /// <summary>The largest value, −∞ for none. NaN may be lost: the exponentials bring it back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float Max<S, V>(float* x, nint length) where S : struct, ISimd<V>
    {
        V maxima = S.Broadcast(float.NegativeInfinity);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) maxima = S.Max(maxima, S.Load(x + i));
        float max = S.MaxLane(maxima);
        for (; i < length; i++) max = Math.Max(max, x[i]);
        return max;
    }

    /// <summary>y = exp(x − shift); returns Σ y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float Exp<S, V>(float* x, float* y, nint length, float shift) where S : struct, ISimd<V>
    {
        V shifts = S.Broadcast(shift), sums = S.Broadcast(0f);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            V e = VectorMath.Exp<S, V>(S.Subtract(S.Load(x + i), shifts));
            sums = S.Add(sums, e);
            S.Store(y + i, e);
        }
        float sum = S.Sum(sums);                                     // before the calls below: no vector lives across them
        if (i == length) return sum;

        // The lanes beyond the end become exp(−∞) = 0, unless the shift is not finite: then the row is NaN anyway.
        V last = Tail.Load<S, V>(x + i, length - i, float.NegativeInfinity);
        last = VectorMath.Exp<S, V>(S.Subtract(last, S.Broadcast(shift)));
        Tail.Store<S, V>(y + i, length - i, last);
        return sum + S.Sum(last);
    }

    /// <summary>y · factor, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scale<S, V>(float* y, nint length, float factor) where S : struct, ISimd<V>
    {
        V factors = S.Broadcast(factor);
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(y + i, S.Multiply(S.Load(y + i), factors));
        for (; i < length; i++) y[i] *= factor;
    }
}
