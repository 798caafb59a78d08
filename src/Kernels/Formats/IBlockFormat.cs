using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>
/// A format of small integers in blocks of 32 with a scale each: a row has its integers first, then a float16 scale per block. Blocks
/// come in pairs, so that four-bit integers of two blocks can share bytes.
/// </summary>
/// <remarks>
/// A scale per 32 weights is the idea of GGML's q8_0 and q4_0 (llama.cpp); the layout is our own: a row stores all its integers
/// contiguously, then its scales (docs/quantized-files.md).
/// </remarks>
internal unsafe interface IBlockFormat : IRowFormat
{
    /// <summary>Bytes of the integers of a pair of blocks.</summary>
    static abstract int PairBytes { get; }

    /// <summary>What stands for zero: integers are q, weights (q − Zero) · scale.</summary>
    static abstract int Zero { get; }

    /// <summary>The largest magnitude that a finite scale can stand for.</summary>
    static abstract float Largest { get; }

    /// <summary>2 · Width integers of each block of a pair as 16-bit integers, from a place in the block on.</summary>
    static abstract void Load<S, V>(byte* pair, nint index, out V first, out V second) where S : struct, ISimd<V>;

    /// <summary>Integer i of a pair of blocks, 0 … 63.</summary>
    static abstract int One(byte* pair, int i);

    /// <summary>Writes the 64 integers of a pair.</summary>
    static abstract void Write(ReadOnlySpan<int> integers, byte* pair);

    /// <summary>
    /// The largest integer of X in products of bytes: the processor adds such products two by two in 16 bits, and a sum of as many
    /// of them as <see cref="AddPairs"/> keeps there must not overflow.
    /// </summary>
    static abstract int MostX { get; }

    /// <summary>A byte of <see cref="ToBytes"/> stands for (byte − ByteZero / 4) · ByteUnit · scale.</summary>
    static abstract int ByteZero { get; }

    /// <inheritdoc cref="ByteZero"/>
    static abstract int ByteUnit { get; }

    /// <summary>The integers of a row as unsigned bytes, in order.</summary>
    static abstract void ToBytes(byte* row, int k, byte* bytes);

    /// <summary>Where the sum of a block begins, given what <see cref="ByteZero"/> has in it.</summary>
    static abstract V Begin<S, V>(V zero) where S : struct, IByteSimd<V>;

    /// <summary>Adds the 16-bit sums of four products each.</summary>
    static abstract V AddPairs<S, V>(V sum, V products) where S : struct, IByteSimd<V>;

    /// <summary>The sum of a block in 32 bits, with what <see cref="ByteZero"/> has in it.</summary>
    static abstract V End<S, V>(V sum, V zero) where S : struct, IByteSimd<V>;

    /// <summary>The smallest and the largest integer q.</summary>
    static abstract int Least { get; }

    /// <inheritdoc cref="Least"/>
    static abstract int Most { get; }

    /// <summary>The scale for a block of finite weights.</summary>
    static abstract Half ScaleOf(ReadOnlySpan<float> weights);

    /// <summary>
    /// The scales for a row of k finite weights, before they are rounded to fp16. Behind the weights are zeros up to a multiple of Width blocks, for which the
    /// scales have room; columns has room for Width blocks.
    /// </summary>
    static abstract void Scales<S, V>(float* weights, int k, float* scales, float* columns) where S : struct, ISimd<V>;

    /// <summary>The integers for a row of k finite weights, given the scale of each block, already rounded to fp16.</summary>
    static abstract void Write<S, V>(float* weights, int k, float* scales, byte* row) where S : struct, ISimd<V>;
}

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
