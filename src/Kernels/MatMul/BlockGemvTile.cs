using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The inner loops of GEMV with blocks of integers: exact sums of a block's products, times the block's scale (<see cref="BlockScales"/>), in one sum per row.</summary>
/// <remarks>All tiles add in the same order, so that a row of Y has the same bits alone and among others. The loops call nothing.</remarks>
internal static unsafe class BlockGemvTile
{
    private const int CacheLine = 64;

    /// <summary>Σ over the blocks, of 4 rows of W that lie <paramref name="apart"/> and one of X, from <paramref name="starts"/> on.</summary>
    /// <remarks>Two pointers and two indexes reach four rows: a loop with more addresses than registers loads some at every step.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot4x1<S, V, TFormat>(nint blocks, byte* w, nint apart, short* x, float* scales, float* starts, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        V s0 = S.Load(starts), s1 = S.Load(starts + S.Width), s2 = S.Load(starts + (2 * S.Width)), s3 = S.Load(starts + (3 * S.Width));
        byte* w2 = w + (2 * apart);
        float* c2 = scales + (2 * blocks);
        for (nint p = 0, q = apart, b = 0, d = blocks; b < blocks; b += 2, d += 2, p += TFormat.PairBytes, q += TFormat.PairBytes, x += Blocks.Pair)
        {
            if (TFormat.PairBytes >= CacheLine || (b & 2) == 0)              // a line holds two pairs of Int4
            {
                S.Prefetch(w + p + Tiling.StreamPrefetchBytes);
                S.Prefetch(w + q + Tiling.StreamPrefetchBytes);
                S.Prefetch(w2 + p + Tiling.StreamPrefetchBytes);
                S.Prefetch(w2 + q + Tiling.StreamPrefetchBytes);
            }
            s0 = Add<S, V, TFormat>(w + p, x, scales + b, s0);
            s1 = Add<S, V, TFormat>(w + q, x, scales + d, s1);
            s2 = Add<S, V, TFormat>(w2 + p, x, c2 + b, s2);
            s3 = Add<S, V, TFormat>(w2 + q, x, c2 + d, s3);
        }
        sums[0] = S.Sum(s0);
        sums[1] = S.Sum(s1);
        sums[2] = S.Sum(s2);
        sums[3] = S.Sum(s3);
    }

    /// <summary>The same of one row of W and 4 of X that lie <paramref name="apart"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot1x4<S, V, TFormat>(nint blocks, byte* w, short* x, nint apart, float* scales, float* starts, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
        V s0 = S.Load(starts), s1 = S.Load(starts + S.Width), s2 = S.Load(starts + (2 * S.Width)), s3 = S.Load(starts + (3 * S.Width));
        short* x2 = x + (2 * apart);
        float* c2 = scales + (2 * blocks);
        for (nint p = 0, q = apart, b = 0, d = blocks; b < blocks; b += 2, d += 2, p += Blocks.Pair, q += Blocks.Pair, w += TFormat.PairBytes)
        {
            S.Prefetch(w + Tiling.PrefetchBytes);
            s0 = Add<S, V, TFormat>(w, x + p, scales + b, s0);
            s1 = Add<S, V, TFormat>(w, x + q, scales + d, s1);
            s2 = Add<S, V, TFormat>(w, x2 + p, c2 + b, s2);
            s3 = Add<S, V, TFormat>(w, x2 + q, c2 + d, s3);
        }
        sums[0] = S.Sum(s0);
        sums[1] = S.Sum(s1);
        sums[2] = S.Sum(s2);
        sums[3] = S.Sum(s3);
    }

    // A pair of blocks: products of 16-bit integers are exact, and so is their sum over a block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add<S, V, TFormat>(byte* w, short* x, float* scales, V sum)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IBlockFormat
    {
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
