using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The inner loops of GEMV: one row of W times some rows of X, over the whole vectors of a row.</summary>
/// <remarks>
/// Rows lie one after the other, so that a task reads its part of W from front to back in one stream, and asks for it some
/// kilobytes ahead: that is what reaches the speed of memory. The loops call nothing: where an accumulator lives across a call,
/// the JIT keeps it in memory, also inside the loop before the call.
/// </remarks>
internal static unsafe class GemvTile
{
    /// <summary>Vectors of W per turn of a loop.</summary>
    private const int Unroll = 4;

    /// <summary>w · x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot1<S, V, TFormat>(nint length, byte* w, float* x)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
        nint p = 0;
        for (; p <= length - (Unroll * S.Width); p += Unroll * S.Width)
        {
            PrefetchTurn<S, V, TFormat>(w, p);
            s0 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p), S.Load(x + p), s0);
            s1 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p + S.Width), S.Load(x + p + S.Width), s1);
            s2 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p + (2 * S.Width)), S.Load(x + p + (2 * S.Width)), s2);
            s3 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p + (3 * S.Width)), S.Load(x + p + (3 * S.Width)), s3);
        }
        for (; p < length; p += S.Width)
            s0 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p), S.Load(x + p), s0);
        return TFormat.SumScale * S.Sum(S.Add(S.Add(s0, s1), S.Add(s2, s3)));
    }

    /// <summary>sums[r] = w_r · x for 4 rows of W that lie apart, so that a thread reads four streams at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Streams4<S, V, TFormat>(nint length, byte* w, nint apart, float* x, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        V s00 = S.Broadcast(0f), s10 = S.Broadcast(0f), s20 = S.Broadcast(0f), s30 = S.Broadcast(0f);
        V s01 = S.Broadcast(0f), s11 = S.Broadcast(0f), s21 = S.Broadcast(0f), s31 = S.Broadcast(0f);
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
            s00 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p), a, s00);
            s10 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p), a, s10);
            s20 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p), a, s20);
            s30 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p), a, s30);
            s01 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p + S.Width), b, s01);
            s11 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p + S.Width), b, s11);
            s21 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p + S.Width), b, s21);
            s31 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p + S.Width), b, s31);
        }
        for (; p < length; p += S.Width)
        {
            V a = S.Load(x + p);
            s00 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w, p), a, s00);
            s10 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w1, p), a, s10);
            s20 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w2, p), a, s20);
            s30 = S.MultiplyAdd(TFormat.WidenScaled<S, V>(w3, p), a, s30);
        }
        sums[0] = TFormat.SumScale * S.Sum(S.Add(s00, s01));
        sums[1] = TFormat.SumScale * S.Sum(S.Add(s10, s11));
        sums[2] = TFormat.SumScale * S.Sum(S.Add(s20, s21));
        sums[3] = TFormat.SumScale * S.Sum(S.Add(s30, s31));
    }

    /// <summary>sums[i] = w · x_i for 4 rows of X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4<S, V, TFormat>(nint length, byte* w, float* x0, float* x1, float* x2, float* x3, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
        V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
        nint p = 0;
        for (; p <= length - (Unroll * S.Width); p += Unroll * S.Width)
        {
            PrefetchTurn<S, V, TFormat>(w, p);
            for (nint q = p; q < p + (Unroll * S.Width); q += 2 * S.Width)
            {
                V a = TFormat.WidenScaled<S, V>(w, q), b = TFormat.WidenScaled<S, V>(w, q + S.Width);
                s00 = S.MultiplyAdd(a, S.Load(x0 + q), s00);
                s01 = S.MultiplyAdd(a, S.Load(x1 + q), s01);
                s02 = S.MultiplyAdd(a, S.Load(x2 + q), s02);
                s03 = S.MultiplyAdd(a, S.Load(x3 + q), s03);
                s10 = S.MultiplyAdd(b, S.Load(x0 + q + S.Width), s10);
                s11 = S.MultiplyAdd(b, S.Load(x1 + q + S.Width), s11);
                s12 = S.MultiplyAdd(b, S.Load(x2 + q + S.Width), s12);
                s13 = S.MultiplyAdd(b, S.Load(x3 + q + S.Width), s13);
            }
        }
        for (; p < length; p += S.Width)
        {
            V a = TFormat.WidenScaled<S, V>(w, p);
            s00 = S.MultiplyAdd(a, S.Load(x0 + p), s00);
            s01 = S.MultiplyAdd(a, S.Load(x1 + p), s01);
            s02 = S.MultiplyAdd(a, S.Load(x2 + p), s02);
            s03 = S.MultiplyAdd(a, S.Load(x3 + p), s03);
        }
        sums[0] = TFormat.SumScale * S.Sum(S.Add(s00, s10));
        sums[1] = TFormat.SumScale * S.Sum(S.Add(s01, s11));
        sums[2] = TFormat.SumScale * S.Sum(S.Add(s02, s12));
        sums[3] = TFormat.SumScale * S.Sum(S.Add(s03, s13));
    }

    /// <summary>Asks for as many bytes as a turn reads, <see cref="Tiling.PrefetchBytes"/> ahead; beyond W's end that does nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchTurn<S, V, TFormat>(byte* w, nint p)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        const int Line = 64;
        byte* ahead = w + TFormat.RowBytes(p) + Tiling.PrefetchBytes;
        S.Prefetch(ahead);
        if (TFormat.RowBytes(Unroll * S.Width) > Line) S.Prefetch(ahead + Line);
        if (TFormat.RowBytes(Unroll * S.Width) > 2 * Line) S.Prefetch(ahead + (2 * Line));
        if (TFormat.RowBytes(Unroll * S.Width) > 3 * Line) S.Prefetch(ahead + (3 * Line));
    }
}
