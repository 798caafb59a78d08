using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Elementwise sum.</summary>
public static unsafe class Add
{
    /// <summary>destination = x + y, element by element.</summary>
    /// <param name="x">First summand.</param>
    /// <param name="y">Second summand.</param>
    /// <param name="destination">As long as both; may be either of them.</param>
    /// <param name="options">Level.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Run(ReadOnlySpan<float> x, ReadOnlySpan<float> y, Span<float> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.SameLength(x.Length, y.Length);
        Check.SameLength(x.Length, destination.Length);
        fixed (float* px = x, py = y, pd = destination)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512:   Sum.Body<Avx512, Vector512<float>>(px, py, pd, x.Length); break;
                case KernelLevel.Avx2:     Sum.Body<Avx2, Vector256<float>>(px, py, pd, x.Length); break;
                case KernelLevel.Portable: Sum.Body<Portable, Vector<float>>(px, py, pd, x.Length); break;
                default:
                    for (int i = 0; i < x.Length; i++) destination[i] = x[i] + y[i];
                    break;
            }
        }
    }
}
