using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>A stored row to floats.</summary>
internal static unsafe class Widening
{
    public static void Run<S, V>(byte* row, WeightType type, float* y, nint length)
        where S : struct, ISimd<V>
        where V : struct
    {
        switch (type)
        {
            case WeightType.F32: Body<S, V, F32Format>(row, 0, y, length); break;
            case WeightType.F16: Body<S, V, F16Format>(row, 0, y, length); break;
            case WeightType.BF16: Body<S, V, BF16Format>(row, 0, y, length); break;
        }
    }

    /// <summary>Elements first … first + length − 1 of a stored row; asks for what follows, as rows mostly do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(byte* row, nint first, float* y, nint length)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            S.Prefetch(row + TFormat.RowBytes(first + i) + Tiling.PrefetchBytes);
            S.Store(y + i, TFormat.Widen<S, V>(row, first + i, decoding));
        }
        for (; i < length; i++) y[i] = TFormat.WidenOne(row, first + i);
    }
}
