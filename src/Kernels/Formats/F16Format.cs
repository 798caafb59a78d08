using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Kernels;

/// <summary>IEEE 754 binary16.</summary>
/// <remarks>
/// .NET 10 has no F16C intrinsics. Sign-extended to 32 bits and shifted by 13, a half has its sign and its mantissa where a float has them. With 224 added to
/// its exponent (an or: a half's exponent has 5 bits) it is 2¹¹² times too large, and infinity and NaN (exponent 31) are where a float has them (255). What
/// remains is exponent 0, where the number is subnormal and has no leading one: there t = |w| / 2 + 2⁻¹⁵ (times 2¹¹²), so that min(t, 2t − 2⁻¹⁴)
/// is |w|, and leaves all other numbers as they are. No operand is a subnormal float: on many CPUs such operands cost a hundred cycles each.
/// </remarks>
internal readonly unsafe struct F16Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 2 * k;

    // In memory that the JIT does not know, so that it keeps what is loaded from there in registers.
    private static readonly int* s_constants = Constants(0x0FFFE000, 224 << 23, BitConverter.SingleToInt32Bits(2f), unchecked((int)0x80000000) | (225 << 23),
        int.MinValue);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index, in Decoding<V> decoding)
        where S : struct, ISimd<V> => S.Multiply(WidenScaled<S, V>(row, index, decoding), S.BroadcastInt((127 - 112) << 23));

    /// <summary>2⁻⁵⁶: half of the 2¹¹² that <see cref="WidenScaled"/> is too large by, so that neither X nor a product leaves float's range.</summary>
    public static float InputScale => 1 / (float)(1L << 56);

    public static float SumScale => 1 / (float)(1L << 56);

    /// <summary>Elements times 2¹¹².</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V>
    {
        V shifted = S.ShiftLeft(S.LoadInt16((short*)row + index), 13);
        V t = S.Or(S.And(shifted, decoding.Magnitude), decoding.Exponent);
        V doubled = S.MultiplyAdd(t, decoding.Two, decoding.Subnormal);
        return S.Or(S.Min(t, doubled), S.And(shifted, decoding.Sign));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Decoding<V> Decoding<S, V>() where S : struct, ISimd<V> => new()
    {
        Magnitude = S.BroadcastInt(s_constants[0]),
        Exponent = S.BroadcastInt(s_constants[1]),
        Two = S.BroadcastInt(s_constants[2]),
        Subnormal = S.BroadcastInt(s_constants[3]),
        Sign = S.BroadcastInt(s_constants[4]),
    };

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Widening.Body<S, V, F16Format>(row, first, y, length);

    public static float WidenOne(byte* row, nint index) => (float)Unsafe.ReadUnaligned<Half>(row + (2 * index));

    private static int* Constants(params ReadOnlySpan<int> values)
    {
        int* memory = (int*)NativeMemory.Alloc((nuint)values.Length, sizeof(int));
        values.CopyTo(new Span<int>(memory, values.Length));
        return memory;
    }

    /// <remarks>
    /// With 2^e the leading digit of |x|, and e at least −14, a half counts in steps of 2^(e−10). So does a float at 2^(e+13): the sum
    /// of both is rounded as the half must be, and its last bits are the number of steps. The leading one among them carries into
    /// the exponent, which is therefore taken one lower: e + 14, where the sum's has e + 140.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow<S, V>(V values, byte* row, nint index) where S : struct, ISimd<V>
    {
        const float Overflow = 65536;                                  // 2¹⁶, the first power of two that is infinity as a half
        V magnitude = S.Min(S.Broadcast(Overflow), S.And(values, S.BroadcastInt(int.MaxValue)));
        V leading = S.Max(S.And(magnitude, S.BroadcastInt(0x7F800000)), S.BroadcastInt((127 - 14) << 23));
        V sum = S.MultiplyAdd(leading, S.BroadcastInt((127 + 13) << 23), magnitude);
        V half = S.AddInt(S.AddInt(S.ShiftRight(sum, 13), S.BroadcastInt(-126 << 10)), S.And(sum, S.BroadcastInt(0xFFF)));
        half = S.Select(S.Less(magnitude, S.Broadcast(2 * Overflow)), half, S.BroadcastInt(0x7E00));      // NaN is not less
        V sign = S.And(S.ShiftRight(values, 16), S.BroadcastInt(0x8000));
        S.StoreInt16((short*)row + index, S.Or(half, sign));
    }

    /// <summary>Floats rounded to fp16, as floats.</summary>
    /// <remarks>The sum of <see cref="Narrow"/>, less what was added: that is exact.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Round<S, V>(V values) where S : struct, ISimd<V>
    {
        V magnitude = S.And(values, S.BroadcastInt(int.MaxValue));
        V leading = S.Max(S.And(magnitude, S.BroadcastInt(0x7F800000)), S.BroadcastInt((127 - 14) << 23));
        V steps = S.Multiply(leading, S.BroadcastInt((127 + 13) << 23));
        V half = S.Subtract(S.Add(magnitude, steps), steps);
        half = S.Select(S.Less(half, S.Broadcast(65536)), half, S.Broadcast(float.PositiveInfinity));
        return S.Or(half, S.And(values, S.BroadcastInt(int.MinValue)));
    }

    public static void NarrowOne(float value, byte* row, nint index) => Unsafe.WriteUnaligned(row + (2 * index), (Half)value);
}
