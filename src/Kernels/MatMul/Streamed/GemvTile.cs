using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The inner loops of GEMV: some rows of W times some rows of X, over the whole vectors of a row.</summary>
/// <remarks>
/// Each product of a row of W and a row of X has one sum, vector after vector, and <see cref="ISimd{V}.Sum"/> adds its lanes:
/// in every tile the same additions in the same order, so that a row of Y has the same bits whatever other rows are computed
/// with it. The loops call nothing: where a sum lives across a call, the JIT keeps it in memory, also inside the loop before the call.
/// </remarks>
internal static unsafe class GemvTile
{
    /// <summary>Rows of W and of X of the tile that takes W decoded.</summary>
    public const int DecodedRows = 6, DecodedColumns = 4;

    /// <summary>What that tile and the one for 8 rows of X need.</summary>
    public const int ManyRegisters = 32;

    /// <summary>A row of W as a dot product takes it. One stream, from front to back, which goes on in the next row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Decode<S, V, TFormat>(nint length, byte* w, float* decoded)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> k = TFormat.Decoding<S, V>();
        for (nint p = 0; p < length; p += S.Width)
        {
            S.Prefetch(w + TFormat.RowBytes(p) + Tiling.PrefetchBytes);
            S.Store(decoded + p, TFormat.WidenScaled<S, V>(w, p, k));
        }
    }

    /// <summary>w · x. One stream of W, from front to back, prefetched some kilobytes ahead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float Dot1<S, V, TFormat>(nint length, byte* w, float* x)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> k = TFormat.Decoding<S, V>();
        V s = S.Broadcast(0f);
        for (nint p = 0; p < length; p += S.Width)
        {
            S.Prefetch(w + TFormat.RowBytes(p) + Tiling.PrefetchBytes);
            s = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p, k), S.Load(x + p), s);
        }
        return S.Sum(s);
    }

    /// <summary>sums[r] = w_r · x for 4 rows of W that lie <paramref name="apart"/>, so that a thread reads four streams at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot4x1<S, V, TFormat>(nint length, byte* w, nint apart, float* x, float* sums)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> k = TFormat.Decoding<S, V>();
        V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
        byte* w1 = w + apart, w2 = w1 + apart, w3 = w2 + apart;
        nint p = 0;
        for (; p <= length - (2 * S.Width); p += 2 * S.Width)
        {
            nint ahead = TFormat.RowBytes(p) + Tiling.StreamPrefetchBytes;
            S.Prefetch(w + ahead);
            S.Prefetch(w1 + ahead);
            S.Prefetch(w2 + ahead);
            S.Prefetch(w3 + ahead);
            V a = S.Load(x + p), b = S.Load(x + p + S.Width);
            s0 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p, k), a, s0);
            s1 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p, k), a, s1);
            s2 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p, k), a, s2);
            s3 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p, k), a, s3);
            s0 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p + S.Width, k), b, s0);
            s1 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p + S.Width, k), b, s1);
            s2 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p + S.Width, k), b, s2);
            s3 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p + S.Width, k), b, s3);
        }
        for (; p < length; p += S.Width)
        {
            V a = S.Load(x + p);
            s0 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p, k), a, s0);
            s1 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p, k), a, s1);
            s2 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p, k), a, s2);
            s3 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p, k), a, s3);
        }
        S.Sum4(s0, s1, s2, s3, sums);
    }

    /// <summary>sums[4r + i] = w_r · x_i for 2 rows of W that lie <paramref name="apart"/> and a group of 4 rows of X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot2x4<S, V, TFormat>(nint length, byte* w, nint apart, float* x, float* sums)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> k = TFormat.Decoding<S, V>();
        V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
        V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
        byte* w1 = w + apart;
        for (nint p = 0; p < length; p += S.Width, x += 4 * S.Width)
        {
            nint ahead = TFormat.RowBytes(p) + Tiling.StreamPrefetchBytes;
            S.Prefetch(w + ahead);
            S.Prefetch(w1 + ahead);
            V a0 = TFormat.WidenScaled<S, V>(w, p, k), a1 = TFormat.WidenScaled<S, V>(w1, p, k);
            V b = S.Load(x);
            s00 = S.MultiplyAdd(a0, b, s00);
            s10 = S.MultiplyAdd(a1, b, s10);
            b = S.Load(x + S.Width);
            s01 = S.MultiplyAdd(a0, b, s01);
            s11 = S.MultiplyAdd(a1, b, s11);
            b = S.Load(x + (2 * S.Width));
            s02 = S.MultiplyAdd(a0, b, s02);
            s12 = S.MultiplyAdd(a1, b, s12);
            b = S.Load(x + (3 * S.Width));
            s03 = S.MultiplyAdd(a0, b, s03);
            s13 = S.MultiplyAdd(a1, b, s13);
        }
        S.Sum8(s00, s01, s02, s03, s10, s11, s12, s13, sums);
    }

    /// <summary>sums[8r + i] = w_r · x_i for 2 rows of W that lie <paramref name="apart"/> and a group of 8 rows of X: 16 sums, for 32 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot2x8<S, V, TFormat>(nint length, byte* w, nint apart, float* x, float* sums)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> k = TFormat.Decoding<S, V>();
        V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
        V s04 = S.Broadcast(0f), s05 = S.Broadcast(0f), s06 = S.Broadcast(0f), s07 = S.Broadcast(0f);
        V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
        V s14 = S.Broadcast(0f), s15 = S.Broadcast(0f), s16 = S.Broadcast(0f), s17 = S.Broadcast(0f);
        byte* w1 = w + apart;
        for (nint p = 0; p < length; p += S.Width, x += 8 * S.Width)
        {
            nint ahead = TFormat.RowBytes(p) + Tiling.StreamPrefetchBytes;
            // Half a line of each row per step: it is enough to prefetch one row at each, alternately.
            if (TFormat.RowBytes(S.Width) < Tiling.CacheLine)
            {
                S.Prefetch((p & S.Width) == 0 ? w + ahead : w1 + ahead);
            }
            else
            {
                S.Prefetch(w + ahead);
                S.Prefetch(w1 + ahead);
            }
            V a0 = TFormat.WidenScaled<S, V>(w, p, k), a1 = TFormat.WidenScaled<S, V>(w1, p, k);
            V b = S.Load(x);
            s00 = S.MultiplyAdd(a0, b, s00);
            s10 = S.MultiplyAdd(a1, b, s10);
            b = S.Load(x + S.Width);
            s01 = S.MultiplyAdd(a0, b, s01);
            s11 = S.MultiplyAdd(a1, b, s11);
            b = S.Load(x + (2 * S.Width));
            s02 = S.MultiplyAdd(a0, b, s02);
            s12 = S.MultiplyAdd(a1, b, s12);
            b = S.Load(x + (3 * S.Width));
            s03 = S.MultiplyAdd(a0, b, s03);
            s13 = S.MultiplyAdd(a1, b, s13);
            b = S.Load(x + (4 * S.Width));
            s04 = S.MultiplyAdd(a0, b, s04);
            s14 = S.MultiplyAdd(a1, b, s14);
            b = S.Load(x + (5 * S.Width));
            s05 = S.MultiplyAdd(a0, b, s05);
            s15 = S.MultiplyAdd(a1, b, s15);
            b = S.Load(x + (6 * S.Width));
            s06 = S.MultiplyAdd(a0, b, s06);
            s16 = S.MultiplyAdd(a1, b, s16);
            b = S.Load(x + (7 * S.Width));
            s07 = S.MultiplyAdd(a0, b, s07);
            s17 = S.MultiplyAdd(a1, b, s17);
        }
        S.Sum8(s00, s01, s02, s03, s04, s05, s06, s07, sums);
        S.Sum8(s10, s11, s12, s13, s14, s15, s16, s17, sums + 8);
    }

    /// <summary>sums[4r + i] = w_r · x_i for 6 decoded rows of W, one every <paramref name="apart"/> floats, and a group of 4 rows of X.</summary>
    /// <remarks>
    /// 24 sums in 32 registers, and ten loads for 24 multiply-adds: the arithmetic bounds it, once W is decoded for all rows. A step prefetches a line from
    /// <paramref name="next"/> on: the rows of W that are decoded after these.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot6x4<S, V>(nint length, float* w, nint apart, float* x, float* sums, byte* next) where S : struct, ISimd<V>
    {
        V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
        V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
        V s20 = S.Broadcast(0f), s21 = S.Broadcast(0f), s22 = S.Broadcast(0f), s23 = S.Broadcast(0f);
        V s30 = S.Broadcast(0f), s31 = S.Broadcast(0f), s32 = S.Broadcast(0f), s33 = S.Broadcast(0f);
        V s40 = S.Broadcast(0f), s41 = S.Broadcast(0f), s42 = S.Broadcast(0f), s43 = S.Broadcast(0f);
        V s50 = S.Broadcast(0f), s51 = S.Broadcast(0f), s52 = S.Broadcast(0f), s53 = S.Broadcast(0f);
        float* w1 = w + apart, w2 = w1 + apart, w3 = w2 + apart, w4 = w3 + apart, w5 = w4 + apart;
        for (nint p = 0; p < length; p += S.Width, x += 4 * S.Width)
        {
            S.PrefetchL2(next);
            next += Tiling.CacheLine;
            V b0 = S.Load(x), b1 = S.Load(x + S.Width), b2 = S.Load(x + (2 * S.Width)), b3 = S.Load(x + (3 * S.Width));
            Add4<S, V>(S.Load(w + p), b0, b1, b2, b3, ref s00, ref s01, ref s02, ref s03);
            Add4<S, V>(S.Load(w1 + p), b0, b1, b2, b3, ref s10, ref s11, ref s12, ref s13);
            Add4<S, V>(S.Load(w2 + p), b0, b1, b2, b3, ref s20, ref s21, ref s22, ref s23);
            Add4<S, V>(S.Load(w3 + p), b0, b1, b2, b3, ref s30, ref s31, ref s32, ref s33);
            Add4<S, V>(S.Load(w4 + p), b0, b1, b2, b3, ref s40, ref s41, ref s42, ref s43);
            Add4<S, V>(S.Load(w5 + p), b0, b1, b2, b3, ref s50, ref s51, ref s52, ref s53);
        }
        S.Sum8(s00, s01, s02, s03, s10, s11, s12, s13, sums);
        S.Sum8(s20, s21, s22, s23, s30, s31, s32, s33, sums + 8);
        S.Sum8(s40, s41, s42, s43, s50, s51, s52, s53, sums + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add4<S, V>(V a, V b0, V b1, V b2, V b3, ref V s0, ref V s1, ref V s2, ref V s3) where S : struct, ISimd<V>
    {
        s0 = S.MultiplyAdd(a, b0, s0);
        s1 = S.MultiplyAdd(a, b1, s1);
        s2 = S.MultiplyAdd(a, b2, s2);
        s3 = S.MultiplyAdd(a, b3, s3);
    }
}
