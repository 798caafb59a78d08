using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>
/// How GEMV multiplies blocks of integers: what integers X becomes, and the inner loops. A block's sum of products is exact; times the
/// block's scale (<see cref="BlockScales"/>) it is added to one sum per row.
/// </summary>
/// <remarks>
/// Both loops add in the same order, so that a row of Y has the same bits alone and among others. They are inlined into the loops over rows and call nothing.
/// </remarks>
/// <typeparam name="V">The vector type.</typeparam>
internal unsafe interface IBlockDots<V>
{
    /// <summary>The largest integer of X.</summary>
    static abstract int MostX { get; }

    /// <summary>Bytes of an integer of X.</summary>
    static abstract int BytesX { get; }

    /// <summary>
    /// Stores blocks of X, [count, 32] from −<see cref="MostX"/> to <see cref="MostX"/>, in a row of X from block first on, where the loops look for them.
    /// </summary>
    static abstract void StoreX(short* integers, byte* x, nint first, int count);

    /// <summary>
    /// Adds the blocks of 4 rows of W that lie <paramref name="apart"/> and one of X, times scales [4, row], to a sum for each row, a vector of parts. W is
    /// prefetched <paramref name="ahead"/> bytes before its loads.
    /// </summary>
    /// <remarks>Two pointers and two indexes should reach the four rows: a loop with more addresses than registers loads some at every step.</remarks>
    static abstract void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, nint row, nint ahead, ref V s0, ref V s1, ref V s2, ref V s3);

    /// <summary>The same of one row of W and 4 of X that lie <paramref name="apart"/>.</summary>
    static abstract void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, nint row, ref V s0, ref V s1, ref V s2, ref V s3);
}

/// <summary>X as 16-bit integers, which are as good as its floats were: the products with those of W are exact, and so is their sum over a block.</summary>
internal readonly unsafe struct Int16Dots<S, V, TFormat> : IBlockDots<V>
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
{
    public static int MostX => short.MaxValue;
    public static int BytesX => sizeof(short);

    public static void StoreX(short* integers, byte* x, nint first, int count) =>
        new Span<short>(integers, count * Blocks.Size).CopyTo(new Span<short>(x + (first * Blocks.Size * BytesX), count * Blocks.Size));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, nint row, nint ahead, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        byte* w2 = w + (2 * apart);
        float* c2 = scales + (2 * row);
        for (nint p = 0, q = apart, b = 0, d = row; b < blocks; b += 2, d += 2, p += TFormat.PairBytes, q += TFormat.PairBytes, x += Blocks.Pair * BytesX)
        {
            if (TFormat.PairBytes >= Tiling.CacheLine || (b & 2) == 0)              // a line holds two pairs of Int4
            {
                S.Prefetch(w + p + ahead);
                S.Prefetch(w + q + ahead);
                S.Prefetch(w2 + p + ahead);
                S.Prefetch(w2 + q + ahead);
            }
            s0 = Add(w + p, x, scales + b, s0);
            s1 = Add(w + q, x, scales + d, s1);
            s2 = Add(w2 + p, x, c2 + b, s2);
            s3 = Add(w2 + q, x, c2 + d, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, nint row, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        byte* x2 = x + (2 * apart);
        float* c2 = scales + (2 * row);
        for (nint p = 0, q = apart, b = 0, d = row; b < blocks; b += 2, d += 2, p += Blocks.Pair * BytesX, q += Blocks.Pair * BytesX, w += TFormat.PairBytes)
        {
            S.Prefetch(w + Tiling.PrefetchBytes);
            s0 = Add(w, x + p, scales + b, s0);
            s1 = Add(w, x + q, scales + d, s1);
            s2 = Add(w, x2 + p, c2 + b, s2);
            s3 = Add(w, x2 + q, c2 + d, s3);
        }
    }

    // A pair of blocks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add(byte* w, byte* integers, float* scales, V sum)
    {
        short* x = (short*)integers;
        TFormat.Load<S, V>(w, 0, out V a, out V b);
        V first = S.MultiplyAddInt16(a, S.Load((float*)x)), second = S.MultiplyAddInt16(b, S.Load((float*)(x + Blocks.Size)));
        for (nint i = 2 * S.Width; i < Blocks.Size; i += 2 * S.Width)
        {
            TFormat.Load<S, V>(w, i, out a, out b);
            first = S.AddInt(first, S.MultiplyAddInt16(a, S.Load((float*)(x + i))));
            second = S.AddInt(second, S.MultiplyAddInt16(b, S.Load((float*)(x + Blocks.Size + i))));
        }
        return S.MultiplyAdd(S.ToSingle(second), S.Broadcast(scales[1]), S.MultiplyAdd(S.ToSingle(first), S.Broadcast(scales[0]), sum));
    }
}

/// <summary>Int4 with X as signed bytes: two thirds of the instructions that 16-bit integers take, and the numbers that products of many rows have.</summary>
/// <remarks>
/// A vector holds the bytes of Width / 8 pairs of blocks, so its low and its high nibbles are integers of Width / 4 blocks. Sums of two products fit 16
/// bits four times over. <see cref="IByteSimd{V}.Join"/> leaves them in 32-bit lanes, interleaved block by block, as
/// <see cref="IByteSimd{V}.Repeat"/> loads their scales: one conversion and one multiply-add for all these blocks.
/// </remarks>
internal readonly unsafe struct NibbleDots<S, V> : IBlockDots<V> where S : struct, IByteSimd<V>
{
    public static int MostX => Int4Format.MostX;
    public static int BytesX => sizeof(sbyte);

    private static int Bytes => S.Width * sizeof(float);             // of a vector

    private static int Pairs => Bytes / Blocks.Size;                 // of blocks, whose bytes are a vector

    // Four bytes of each pair, interleaved as IByteSimd.LoadInterleaved has them; first the vector of the pairs' first blocks, then that of the second ones.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void StoreX(short* integers, byte* x, nint first, int count)
    {
        for (nint block = first; block < first + count; block++)
        {
            int* to = (int*)(x + (block / 2 / Pairs * 2 * Bytes) + (block % 2 * Bytes)) + (block / 2 % Pairs);
            for (nint i = 0; i < Blocks.Size; i += Vector128<byte>.Count, integers += Vector128<byte>.Count, to += 4 * Pairs)
            {
                Vector128<int> bytes = Vector128.Narrow(Vector128.Load(integers), Vector128.Load(integers + Vector128<short>.Count)).AsInt32();
                to[0] = bytes[0];
                to[Pairs] = bytes[1];
                to[2 * Pairs] = bytes[2];
                to[3 * Pairs] = bytes[3];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dot4x1(nint blocks, byte* w, nint apart, byte* x, float* scales, nint row, nint ahead, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        V lower = S.BroadcastInt(0x0F0F0F0F), ones = S.BroadcastInt(0x00010001);
        byte* w2 = w + (2 * apart);
        float* c2 = scales + (2 * row);
        for (nint p = 0, q = apart, b = 0, d = row; b < blocks; b += 2 * Pairs, d += 2 * Pairs, p += Bytes, q += Bytes, x += 2 * Bytes)
        {
            if (Bytes >= Tiling.CacheLine || (b & 2) == 0)
            {
                S.Prefetch(w + p + ahead);
                S.Prefetch(w + q + ahead);
                S.Prefetch(w2 + p + ahead);
                S.Prefetch(w2 + q + ahead);
            }
            V x0 = S.Load((float*)x), x1 = S.Load((float*)(x + Bytes));
            V a = S.LoadInterleaved(w + p);
            s0 = Add(S.And(a, lower), S.And(S.ShiftRightInt16(a, 4), lower), x0, x1, ones, scales + b, s0);
            a = S.LoadInterleaved(w + q);
            s1 = Add(S.And(a, lower), S.And(S.ShiftRightInt16(a, 4), lower), x0, x1, ones, scales + d, s1);
            a = S.LoadInterleaved(w2 + p);
            s2 = Add(S.And(a, lower), S.And(S.ShiftRightInt16(a, 4), lower), x0, x1, ones, c2 + b, s2);
            a = S.LoadInterleaved(w2 + q);
            s3 = Add(S.And(a, lower), S.And(S.ShiftRightInt16(a, 4), lower), x0, x1, ones, c2 + d, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dot1x4(nint blocks, byte* w, byte* x, nint apart, float* scales, nint row, ref V s0, ref V s1, ref V s2, ref V s3)
    {
        V lower = S.BroadcastInt(0x0F0F0F0F), ones = S.BroadcastInt(0x00010001);
        byte* x2 = x + (2 * apart);
        float* c2 = scales + (2 * row);
        for (nint p = 0, q = apart, b = 0, d = row; b < blocks; b += 2 * Pairs, d += 2 * Pairs, p += 2 * Bytes, q += 2 * Bytes, w += Bytes)
        {
            S.Prefetch(w + Tiling.PrefetchBytes);
            V a = S.LoadInterleaved(w), a0 = S.And(a, lower), a1 = S.And(S.ShiftRightInt16(a, 4), lower);
            s0 = Add(a0, a1, S.Load((float*)(x + p)), S.Load((float*)(x + p + Bytes)), ones, scales + b, s0);
            s1 = Add(a0, a1, S.Load((float*)(x + q)), S.Load((float*)(x + q + Bytes)), ones, scales + d, s1);
            s2 = Add(a0, a1, S.Load((float*)(x2 + p)), S.Load((float*)(x2 + p + Bytes)), ones, c2 + b, s2);
            s3 = Add(a0, a1, S.Load((float*)(x2 + q)), S.Load((float*)(x2 + q + Bytes)), ones, c2 + d, s3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add(V lower, V upper, V x0, V x1, V ones, float* scales, V sum)
    {
        V products = S.Join(S.MultiplyAddInt8(lower, x0), S.MultiplyAddInt8(upper, x1));
        return S.MultiplyAdd(S.ToSingle(S.MultiplyAddInt16(products, ones)), S.Repeat(scales), sum);
    }
}
