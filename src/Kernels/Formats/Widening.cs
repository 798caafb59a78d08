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
            case WeightType.F32: Body<S, V, F32Format>(row, y, length); break;
            case WeightType.F16: Body<S, V, F16Format>(row, y, length); break;
            case WeightType.BF16: Body<S, V, BF16Format>(row, y, length); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Body<S, V, TFormat>(byte* row, float* y, nint length)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) S.Store(y + i, TFormat.Widen<S, V>(row, i));
        for (; i < length; i++) y[i] = TFormat.WidenOne(row, i);
    }
}
