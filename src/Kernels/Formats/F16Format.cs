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

    /// <summary>2⁻⁵⁶: half of the 2¹¹² that <see cref="WidenScaled"/> is too large by, so that neither X nor a product leaves float's range.</summary>
    public static float InputScale => 1 / (float)(1L << 56);

    public static float SumScale => 1 / (float)(1L << 56);

    /// <summary>Elements times 2¹¹².</summary>
    /// <remarks>
    /// With 224 added to its exponent a half is 2¹¹² times too large, and infinity and NaN are where a float has them. What remains
    /// are subnormal numbers: with exponent 0 the float is |w| + 2⁻¹⁴ for w up to 2⁻¹⁴ of half the slope, so that min(t, 2t − 2⁻¹⁴)
    /// (all times 2¹¹²) is right there and leaves normal numbers as they are.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index)
        where S : struct, ISimd<V>
        where V : struct
    {
        V shifted = S.ShiftLeft(S.LoadInt16((short*)row + index), 13);
        V t = S.AddInt(S.And(shifted, S.BroadcastInt(0x0FFFE000)), S.BroadcastInt(224 << 23));
        V doubled = S.MultiplyAdd(t, S.Broadcast(2f), S.BroadcastInt(unchecked((int)0x80000000) | (225 << 23)));
        return S.Or(S.Min(t, doubled), S.And(shifted, S.BroadcastInt(int.MinValue)));
    }

    public static float WidenOne(byte* row, nint index) => (float)Unsafe.ReadUnaligned<Half>(row + (2 * index));
}
