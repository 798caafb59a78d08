using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>What the formats of blocks share.</summary>
internal static unsafe class Blocks
{
    /// <summary>Weights of a block, and of a pair of blocks: rows are whole pairs.</summary>
    public const int Size = 32, Pair = 2 * Size;

    /// <summary>Bytes of the scales of a row of k weights.</summary>
    public static nint ScaleBytes(nint k) => k / Size * 2;

    /// <summary>Where the scales of a row begin.</summary>
    public static byte* ScalesOf<TFormat>(byte* row, int k) where TFormat : struct, IBlockFormat => row + ((nint)k / Pair * TFormat.PairBytes);

    /// <summary>
    /// 1.5 · 2²³, where a float counts in ones: added to a small integer that is a float, it leaves the integer's two's complement in the last bits.
    /// </summary>
    public const float Ones = 3 << 22;

    /// <summary>The last bits, as many as the mask has, of small integers that are floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LastBits<S, V>(V whole, int mask) where S : struct, ISimd<V> => S.And(S.Add(whole, S.Broadcast(Ones)), S.BroadcastInt(mask));

    /// <summary>The integers, still floats, nearest to weights times the inverse of their scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Round<S, V, TFormat>(V weights, V inverse)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat =>
        S.Min(S.Max(S.Round(S.Multiply(weights, inverse)), S.Broadcast(TFormat.Least)), S.Broadcast(TFormat.Most));

    /// <summary>32 integers from 0 to 255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(short* integers, byte* to)
    {
        for (nint i = 0; i < Size; i += Vector128<byte>.Count)
            Vector128.Store(Vector128.Narrow(Vector128.Load(integers + i).AsUInt16(), Vector128.Load(integers + i + Vector128<short>.Count).AsUInt16()),
                to + i);
    }

    /// <summary>Elements first … first + length − 1 of a row as floats; both whole pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Decode<S, V, TFormat>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V>
        where TFormat : struct, IBlockFormat
    {
        byte* scales = ScalesOf<TFormat>(row, k);
        short* integers = stackalloc short[Pair];
        for (int at = first; at < first + length; at += Pair, y += Pair)
        {
            byte* pair = row + ((nint)at / Pair * TFormat.PairBytes);
            S.Prefetch(pair + Tiling.PrefetchBytes);
            for (nint i = 0; i < Size; i += 2 * S.Width)
            {
                TFormat.Load<S, V>(pair, i, out V a, out V b);
                S.Store((float*)(integers + i), a);
                S.Store((float*)(integers + Size + i), b);
            }
            float scale0 = F16Format.WidenOne(scales, at / Size), scale1 = F16Format.WidenOne(scales, (at / Size) + 1);
            for (nint i = 0; i < Pair; i += S.Width)
            {
                V integer = S.ToSingle(S.LoadInt16(integers + i));
                S.Store(y + i, S.Multiply(S.Subtract(integer, S.Broadcast(TFormat.Zero)), S.Broadcast(i < Size ? scale0 : scale1)));
            }
        }
    }
}
