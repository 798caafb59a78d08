using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Between float32 and the stored weight types.</summary>
internal static unsafe class Conversion
{
    /// <summary>Stored values, little-endian and possibly unaligned, to float32; exact, also for subnormal numbers, infinities and NaN.</summary>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public static void Widen(ReadOnlySpan<byte> source, WeightType type, Span<float> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Length(source.Length, (long)destination.Length * WeightMatrix.ElementSize(type), $"{destination.Length} elements of {type}");
        fixed (byte* row = source)
        fixed (float* y = destination)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Widening.Run<Avx512, Vector512<float>>(row, type, y, destination.Length); break;
                case KernelLevel.Avx2: Widening.Run<Avx2, Vector256<float>>(row, type, y, destination.Length); break;
                case KernelLevel.Vector128: Widening.Run<Simd128, Vector128<float>>(row, type, y, destination.Length); break;
                case KernelLevel.Portable: Widening.Run<Portable, Vector<float>>(row, type, y, destination.Length); break;
                case KernelLevel.Reference: ConversionReference.Widen(source, type, destination); break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }

    /// <summary>
    /// float32 to stored values, rounded to nearest, ties to even; too large becomes infinity, NaN stays NaN. All levels give the same bits, but for the
    /// payload of NaN.
    /// </summary>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public static void Narrow(ReadOnlySpan<float> source, WeightType type, Span<byte> destination, KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check.Length(destination.Length, (long)source.Length * WeightMatrix.ElementSize(type), $"{source.Length} elements of {type}");
        fixed (float* x = source)
        fixed (byte* row = destination)
        {
            switch (options.Level)
            {
                case KernelLevel.Avx512: Narrowing.Run<Avx512, Vector512<float>>(x, type, row, source.Length); break;
                case KernelLevel.Avx2: Narrowing.Run<Avx2, Vector256<float>>(x, type, row, source.Length); break;
                case KernelLevel.Vector128: Narrowing.Run<Simd128, Vector128<float>>(x, type, row, source.Length); break;
                case KernelLevel.Portable: Narrowing.Run<Portable, Vector<float>>(x, type, row, source.Length); break;
                case KernelLevel.Reference: ConversionReference.Narrow(source, type, destination); break;
                default: throw KernelDispatch.Unknown(options.Level);
            }
        }
    }
}
