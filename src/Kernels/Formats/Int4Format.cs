using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Integers from 0 to 15 that stand for −8 to 7: of some scales the one with the smallest squared error is taken.</summary>
/// <remarks>
/// A byte holds an integer of the first block of a pair in its lower half and one of the second block in its upper half: one load, one and, one shift for 2 ·
/// Width of each.
/// </remarks>
internal readonly unsafe struct Int4Format : IBlockFormat
{
    public static int PairBytes => Blocks.Size;
    public static int Zero => 8;
    public static float Largest => 8 * (float)Half.MaxValue;
    public static nint RowBytes(nint k) => (k / 2) + Blocks.ScaleBytes(k);

    public static void Load<S, V>(byte* pair, nint index, out V first, out V second) where S : struct, ISimd<V>
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
    public static V Begin<S, V>(V zero) where S : struct, IByteSimd<V> => S.BroadcastInt(0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddPairs<S, V>(V sum, V products) where S : struct, IByteSimd<V> => S.AddInt16(sum, products);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V End<S, V>(V sum, V zero) where S : struct, IByteSimd<V> => S.AddInt(S.MultiplyAddInt16(sum, S.BroadcastInt(0x00010001)), zero);

    public static int Least => -8;
    public static int Most => 7;
    public static Half ScaleOf(ReadOnlySpan<float> weights) => QuantizationReference.ScaleInt4(weights);

    // A lane is a block, so that all levels add in the same order, that of the reference.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scales<S, V>(float* weights, int k, float* scales, float* columns) where S : struct, ISimd<V>
    {
        for (nint block = 0; block < k / Blocks.Size; block += S.Width, weights += Blocks.Size * S.Width)
        {
            for (nint i = 0; i < Blocks.Size; i += S.Width) S.Transpose(weights + i, Blocks.Size, columns + (i * S.Width), S.Width);
            V largest = LargestOf<S, V>(columns), best = S.Broadcast(0), least = S.Broadcast(float.PositiveInfinity);
            foreach (float target in QuantizationReference.Int4Targets)
            {
                V scale = F16Format.Round<S, V>(S.Divide(largest, S.Broadcast(target)));
                V error = Error<S, V>(columns, scale), less = S.Less(error, least);
                best = S.Select(less, scale, best);
                least = S.Select(less, error, least);
            }
            S.Store(scales + block, best);
        }
    }

    // The first weight of the largest magnitude; +0 where all are zeros.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LargestOf<S, V>(float* columns) where S : struct, ISimd<V>
    {
        V magnitude = S.BroadcastInt(int.MaxValue), largest = S.Broadcast(0);
        for (nint i = 0; i < Blocks.Size; i++)
        {
            V weight = S.Load(columns + (i * S.Width));
            largest = S.Select(S.Less(S.And(largest, magnitude), S.And(weight, magnitude)), weight, largest);
        }
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static V Error<S, V>(float* columns, V scale) where S : struct, ISimd<V>
    {
        V zero = S.Broadcast(0), sum = zero;
        V inverse = S.Select(S.Less(zero, S.And(scale, S.BroadcastInt(int.MaxValue))), S.Divide(S.Broadcast(1), scale), zero);
        for (nint i = 0; i < 2; i++, columns += 4 * S.Width)
        {
            V first = S.Add(Eighth<S, V>(columns, scale, inverse), Eighth<S, V>(columns + S.Width, scale, inverse));
            V second = S.Add(Eighth<S, V>(columns + (2 * S.Width), scale, inverse), Eighth<S, V>(columns + (3 * S.Width), scale, inverse));
            sum = S.Add(sum, S.Add(first, second));
        }
        return sum;
    }

    // The sum over every eighth weight.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Eighth<S, V>(float* columns, V scale, V inverse) where S : struct, ISimd<V>
    {
        V sum = S.Add(SquaredError<S, V>(columns, scale, inverse), SquaredError<S, V>(columns + (8 * S.Width), scale, inverse));
        sum = S.Add(sum, SquaredError<S, V>(columns + (16 * S.Width), scale, inverse));
        return S.Add(sum, SquaredError<S, V>(columns + (24 * S.Width), scale, inverse));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V SquaredError<S, V>(float* weights, V scale, V inverse) where S : struct, ISimd<V>
    {
        V difference = S.Subtract(S.Load(weights), S.Multiply(Blocks.Round<S, V, Int4Format>(S.Load(weights), inverse), scale));
        return S.Multiply(difference, difference);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Write<S, V>(float* weights, int k, float* scales, byte* row) where S : struct, ISimd<V>
    {
        short* integers = stackalloc short[Blocks.Size];
        V shift = S.Broadcast(Blocks.Ones + Zero), lower = S.BroadcastInt(15);
        for (nint at = 0; at < k; at += Blocks.Pair, weights += Blocks.Pair, scales += 2)
        {
            V inverse0 = S.Broadcast(QuantizationReference.Inverse(scales[0])), inverse1 = S.Broadcast(QuantizationReference.Inverse(scales[1]));
            for (nint i = 0; i < Blocks.Size; i += S.Width)
            {
                V first = S.Add(Blocks.Round<S, V, Int4Format>(S.Load(weights + i), inverse0), shift);
                V second = S.Add(Blocks.Round<S, V, Int4Format>(S.Load(weights + Blocks.Size + i), inverse1), shift);
                S.StoreInt16(integers + i, S.Or(S.And(first, lower), S.ShiftLeft(S.And(second, lower), 4)));
            }
            Blocks.StoreBytes(integers, row + (at / 2));
        }
    }

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Blocks.Decode<S, V, Int4Format>(row, k, first, y, length);
}
