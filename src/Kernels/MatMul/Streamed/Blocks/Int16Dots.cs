using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>X as 16-bit integers, which are as good as its floats were: the products with those of W are exact, and so is their sum over a block.</summary>
internal readonly unsafe struct Int16Dots<S, V, TFormat> : IBlockDots<V>
    where S : struct, ISimd<V>
    where TFormat : struct, IBlockFormat
{
    private const int CacheLine = 64;

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
            if (TFormat.PairBytes >= CacheLine || (b & 2) == 0)              // a line holds two pairs of Int4
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
