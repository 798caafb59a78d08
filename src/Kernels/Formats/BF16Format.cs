using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>bfloat16: the upper half of a binary32.</summary>
internal readonly unsafe struct BF16Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 2 * k;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index, in Decoding<V> decoding)
        where S : struct, ISimd<V> => S.ShiftLeft(S.LoadInt16((short*)row + index), 16);

    public static float InputScale => 1;
    public static float SumScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V> => Widen<S, V>(row, index, decoding);

    public static Decoding<V> Decoding<S, V>() where S : struct, ISimd<V> => default;

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Widening.Body<S, V, BF16Format>(row, first, y, length);

    public static float WidenOne(byte* row, nint index) =>
        BitConverter.Int32BitsToSingle(Unsafe.ReadUnaligned<ushort>(row + (2 * index)) << 16);

    // Adding 0x7FFF, and 1 more where the kept part is odd, carries where it must, and no further than to infinity.
    // NaN could be carried to 0: it is added to itself instead, which makes it quiet, so that a payload in the lower half can't vanish.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow<S, V>(V values, byte* row, nint index) where S : struct, ISimd<V>
    {
        V odd = S.And(S.ShiftRight(values, 16), S.BroadcastInt(1));
        V rounded = S.AddInt(S.AddInt(values, S.BroadcastInt(0x7FFF)), odd);
        V finite = S.Less(S.And(values, S.BroadcastInt(int.MaxValue)), S.Broadcast(float.PositiveInfinity));
        S.StoreInt16((short*)row + index, S.ShiftRight(S.Select(finite, rounded, S.Add(values, values)), 16));
    }

    public static void NarrowOne(float value, byte* row, nint index) => Unsafe.WriteUnaligned(row + (2 * index), ConversionReference.NarrowBF16(value));
}
