using System.Numerics;
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
                KernelLevel.Portable => SoftmaxRow.LogSumExp<Portable, Vector<float>>(px, x.Length),
                KernelLevel.Reference => double.NaN,
                _ => throw KernelDispatch.Unknown(options.Level),
            };
        }
        // Rows with NaN or infinity, rare, and all at level Reference.
        return double.IsFinite(result) ? result : SoftmaxReference.LogSumExp(x);
    }
}
