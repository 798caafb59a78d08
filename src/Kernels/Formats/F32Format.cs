using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>IEEE 754 binary32.</summary>
internal readonly unsafe struct F32Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 4 * k;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V> => S.Load((float*)row + index);

    public static float InputScale => 1;
    public static float SumScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V> => Widen<S, V>(row, index, decoding);

    public static Decoding<V> Decoding<S, V>() where S : struct, ISimd<V> => default;

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Widening.Body<S, V, F32Format>(row, first, y, length);

    public static float WidenOne(byte* row, nint index) => Unsafe.ReadUnaligned<float>(row + (4 * index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow<S, V>(V values, byte* row, nint index) where S : struct, ISimd<V> => S.Store((float*)row + index, values);

    public static void NarrowOne(float value, byte* row, nint index) => Unsafe.WriteUnaligned(row + (4 * index), value);
}
