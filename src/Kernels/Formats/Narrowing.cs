using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>Floats to a stored row.</summary>
internal static unsafe class Narrowing
{
    public static void Run<S, V>(float* x, WeightType type, byte* row, nint length)
        where S : struct, ISimd<V>
        where V : struct
    {
        switch (type)
        {
            case WeightType.F32: Body<S, V, F32Format>(x, row, length); break;
            case WeightType.F16: Body<S, V, F16Format>(x, row, length); break;
            case WeightType.BF16: Body<S, V, BF16Format>(x, row, length); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(float* x, byte* row, nint length)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) TFormat.Narrow<S, V>(S.Load(x + i), row, i);
        for (; i < length; i++) TFormat.NarrowOne(x[i], row, i);
    }
}
