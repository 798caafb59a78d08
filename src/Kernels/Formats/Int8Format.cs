using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Integers from −127 to 127: the largest weight of a block decides on its scale.</summary>
internal readonly unsafe struct Int8Format : IBlockFormat
{
    public static int PairBytes => 2 * Blocks.Size;
    public static int Zero => 0;
    public static float Largest => 127 * (float)Half.MaxValue;
    public static nint RowBytes(nint k) => k + Blocks.ScaleBytes(k);

    public static void Load<S, V>(byte* pair, nint index, out V first, out V second) where S : struct, ISimd<V>
    {
        first = S.LoadInt8((sbyte*)pair + index);
        second = S.LoadInt8((sbyte*)pair + Blocks.Size + index);
    }

    public static int One(byte* pair, int i) => ((sbyte*)pair)[i];

    public static void Write(ReadOnlySpan<int> integers, byte* pair)
    {
        for (int i = 0; i < integers.Length; i++) ((sbyte*)pair)[i] = (sbyte)integers[i];
    }

    /// <remarks>2 · 127 · 63 is half of what 16 bits hold, and pairs are added once before they are widened.</remarks>
    public static int MostX => 63;

    /// <remarks>
    /// The lowest bit is dropped: w + 128 = 2 · byte + 0 or 1, which is half on average, so zero lies at 64 − ¼. Without it the sum
    /// of two pairs of products fits 16 bits; with all eight bits not even a pair would, and only six were left for X.
    /// </remarks>
    public static int ByteZero => (4 * 64) - 1;

    public static int ByteUnit => 2;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void ToBytes(byte* row, int k, byte* bytes)
    {
        for (nint i = 0; i < k; i += Blocks.Size)
        {
            Vector256<byte> unsigned = Vector256.Load(row + i) ^ Vector256.Create((byte)128);
            Vector256.Store(Vector256.ShiftRightLogical(unsigned.AsUInt16(), 1).AsByte() & Vector256.Create((byte)127), bytes + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Begin<S, V>(V zero) where S : struct, IByteSimd<V> => zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddPairs<S, V>(V sum, V products)
        where S : struct, IByteSimd<V> => S.AddInt(sum, S.MultiplyAddInt16(products, S.BroadcastInt(0x00010001)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V End<S, V>(V sum, V zero) where S : struct, IByteSimd<V> => sum;

    public static int Least => -127;
    public static int Most => 127;
    public static Half ScaleOf(ReadOnlySpan<float> weights) => QuantizationReference.ScaleInt8(weights);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Scales<S, V>(float* weights, int k, float* scales, float* columns) where S : struct, ISimd<V>
    {
        V magnitude = S.BroadcastInt(int.MaxValue);
        for (nint at = 0; at < k; at += Blocks.Size)
        {
            V largest = S.Broadcast(0);
            for (nint i = at; i < at + Blocks.Size; i += S.Width) largest = S.Max(largest, S.And(S.Load(weights + i), magnitude));
            scales[at / Blocks.Size] = S.MaxLane(largest) / Most;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Write<S, V>(float* weights, int k, float* scales, byte* row) where S : struct, ISimd<V>
    {
        short* integers = stackalloc short[Blocks.Size];
        for (nint at = 0; at < k; at += Blocks.Size)
        {
            V inverse = S.Broadcast(QuantizationReference.Inverse(scales[at / Blocks.Size]));
            for (nint i = 0; i < Blocks.Size; i += S.Width)
            {
                V integer = Blocks.Round<S, V, Int8Format>(S.Load(weights + at + i), inverse);
                S.StoreInt16(integers + i, Blocks.LastBits<S, V>(integer, 0xFF));
            }
            Blocks.StoreBytes(integers, row + at);
        }
    }

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Blocks.Decode<S, V, Int8Format>(row, k, first, y, length);
}
