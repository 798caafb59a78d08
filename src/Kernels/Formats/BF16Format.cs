using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>bfloat16: the upper half of a binary32.</summary>
internal readonly unsafe struct BF16Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 2 * k;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index)
        where S : struct, ISimd<V>
        where V : struct => S.ShiftLeft(S.LoadInt16((short*)row + index), 16);

    public static float InputScale => 1;

    public static float SumScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index)
        where S : struct, ISimd<V>
        where V : struct => Widen<S, V>(row, index);

    public static float WidenOne(byte* row, nint index) =>
        BitConverter.Int32BitsToSingle(Unsafe.ReadUnaligned<ushort>(row + (2 * index)) << 16);
}
