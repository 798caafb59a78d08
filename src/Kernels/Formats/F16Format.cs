using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>IEEE 754 binary16.</summary>
/// <remarks>
/// .NET 10 has no F16C intrinsics. Sign-extended to 32 bits and shifted by 13, a half has its sign and its mantissa where a float
/// has them, and an exponent that is too small by 112. Two exponents need more: 31 (infinity, NaN) goes to 255, and at 0 the
/// number is subnormal: 2⁻¹⁴ + |value| is a normal float with the same mantissa bits, from which 2⁻¹⁴ is subtracted, exactly.
/// Multiplying by 2¹¹² instead is shorter, but its subnormal operands cost Intel CPUs a microcode assist each.
/// </remarks>
internal readonly unsafe struct F16Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 2 * k;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index)
        where S : struct, ISimd<V>
        where V : struct
    {
        V shifted = S.ShiftLeft(S.LoadInt16((short*)row + index), 13);
        V bits = S.And(shifted, S.BroadcastInt(unchecked((int)0x8FFFE000)));
        V exponent = S.And(bits, S.BroadcastInt(31 << 23));
        V normal = S.AddInt(bits, S.BroadcastInt(112 << 23));

        V tiny = S.BroadcastInt(113 << 23);                          // 2⁻¹⁴
        V subnormal = S.Subtract(S.Or(S.And(bits, S.BroadcastInt(0x0FFFE000)), tiny), tiny);
        subnormal = S.Or(subnormal, S.And(bits, S.BroadcastInt(int.MinValue)));
        V special = S.AddInt(normal, S.And(S.EqualInt(exponent, S.BroadcastInt(31 << 23)), S.BroadcastInt(112 << 23)));
        return S.Select(S.EqualInt(exponent, S.BroadcastInt(0)), subnormal, special);
    }

    public static float WidenOne(byte* row, nint index) => (float)Unsafe.ReadUnaligned<Half>(row + (2 * index));
}
