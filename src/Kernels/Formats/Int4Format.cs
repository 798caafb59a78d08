using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Integers from 0 to 15 that stand for −8 to 7: of some scales the one with the smallest squared error is taken.</summary>
/// <remarks>A byte holds an integer of the first block of a pair in its lower half and one of the second block in its upper half: one load, one and, one shift for 2 · Width of each.</remarks>
internal readonly unsafe struct Int4Format : IBlockFormat
{
    // Scales that are tried: those that map the largest weight to this integer. Beyond 8 it is cut off, which pays where it stands alone.
    private static readonly float[] s_largest = [-8, -7.25f, -7.5f, -7.75f, -8.25f, -8.5f, -8.75f, -9, -9.5f, -10, 7, 7.25f, 7.5f, 6.5f, 6.75f];

    public static int PairBytes => Blocks.Size;

    public static int Zero => 8;

    public static float Largest => 8 * (float)Half.MaxValue;

    public static nint RowBytes(nint k) => (k / 2) + Blocks.ScaleBytes(k);

    public static void Load<S, V>(byte* pair, nint index, out V first, out V second)
        where S : struct, ISimd<V>
        where V : struct
    {
        V both = S.LoadUInt8(pair + index);
        first = S.And(both, S.BroadcastInt(0x000F000F));
        second = S.ShiftRightInt16(both, 4);
    }

    public static int One(byte* pair, int i) => i < Blocks.Size ? pair[i] & 15 : pair[i - Blocks.Size] >> 4;

    public static void Write(ReadOnlySpan<int> integers, byte* pair)
    {
        for (int i = 0; i < Blocks.Size; i++) pair[i] = (byte)(integers[i] | (integers[i + Blocks.Size] << 4));
    }

    /// <remarks>A block has 8 groups of four products; 8 · 2 · 15 · 127 fits 16 bits.</remarks>
    public static int MostX => 127;

    public static int ByteZero => 4 * Zero;

    public static int ByteUnit => 1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ToBytes(byte* row, int k, byte* bytes)
    {
        Vector256<byte> lower = Vector256.Create((byte)15);
        for (nint i = 0; i < k; i += Blocks.Pair, row += Blocks.Size)
        {
            Vector256<byte> both = Vector256.Load(row);
            Vector256.Store(both & lower, bytes + i);
            Vector256.Store(Vector256.ShiftRightLogical(both.AsUInt16(), 4).AsByte() & lower, bytes + i + Blocks.Size);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Begin<S, V>(V zero)
        where S : struct, IByteSimd<V>
        where V : struct => S.BroadcastInt(0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddPairs<S, V>(V sum, V products)
        where S : struct, IByteSimd<V>
        where V : struct => S.AddInt16(sum, products);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V End<S, V>(V sum, V zero)
        where S : struct, IByteSimd<V>
        where V : struct => S.AddInt(S.MultiplyAddInt16(sum, S.BroadcastInt(0x00010001)), zero);

    public static Half Quantize(ReadOnlySpan<float> weights, Span<int> integers)
    {
        float largest = 0;
        foreach (float weight in weights) largest = Math.Abs(weight) > Math.Abs(largest) ? weight : largest;
        (Half best, float least) = (Half.Zero, float.PositiveInfinity);
        foreach (float target in s_largest)
        {
            var scale = (Half)(largest / target);
            float error = Error(weights, (float)scale);
            if (error < least) (best, least) = (scale, error);
        }
        float inverse = best == Half.Zero ? 0 : 1 / (float)best;
        for (int i = 0; i < weights.Length; i++) integers[i] = Math.Clamp((int)MathF.Round(weights[i] * inverse) + 8, 0, 15);
        return best;
    }

    // Vectors of one width on all processors, so that all choose the same scale.
    private static float Error(ReadOnlySpan<float> weights, float scale)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        Vector256<float> sum = default;
        for (int i = 0; i < weights.Length; i += Vector256<float>.Count)
        {
            Vector256<float> weight = Vector256.Create(weights[i..]);
            Vector256<float> integer = Vector256.Clamp(Vector256.Round(weight * inverse), Vector256.Create(-8f), Vector256.Create(7f));
            Vector256<float> difference = weight - (integer * scale);
            sum += difference * difference;
        }
        return Vector256.Sum(sum);
    }

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V>
        where V : struct => Blocks.Decode<S, V, Int4Format>(row, k, first, y, length);
}
