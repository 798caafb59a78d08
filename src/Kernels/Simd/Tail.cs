using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The last, partial vector of a span: never a byte beyond the end is read or written.</summary>
internal static unsafe class Tail
{
    /// <summary>The <paramref name="count"/> floats at <paramref name="p"/>, the other lanes holding <paramref name="fill"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V Load<S, V>(float* p, nint count, float fill = 0) where S : struct, ISimd<V>
    {
        float* lanes = stackalloc float[S.Width];
        for (int i = 0; i < S.Width; i++) lanes[i] = i < count ? p[i] : fill;
        return S.Load(lanes);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Store<S, V>(float* p, nint count, V v) where S : struct, ISimd<V>
    {
        float* lanes = stackalloc float[S.Width];
        S.Store(lanes, v);
        for (int i = 0; i < count; i++) p[i] = lanes[i];
    }
}
