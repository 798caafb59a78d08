using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>Int4 with X as signed bytes: two thirds of the instructions that 16-bit integers take, and the numbers that products of many rows have.</summary>
/// <remarks>
/// A vector holds the bytes of Width / 8 pairs of blocks, so its low and its high nibbles are integers of Width / 4 blocks. Sums of two products fit 16
/// bits four times over. <see cref="IByteSimd{V}.Join"/> leaves them in 32-bit lanes, interleaved block by block, as
/// <see cref="IByteSimd{V}.Repeat"/> loads their scales: one conversion and one multiply-add for all these blocks.
/// </remarks>
internal readonly unsafe struct NibbleDots<S, V> : IBlockDots<V> where S : struct, IByteSimd<V>
{
    private const int CacheLine = 64;

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
            if (Bytes >= CacheLine || (b & 2) == 0)
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
