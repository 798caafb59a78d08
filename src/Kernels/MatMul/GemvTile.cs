using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The inner loops of GEMV: some rows of W times some rows of X, over the whole vectors of a row.</summary>
/// <remarks>
/// They call nothing: where an accumulator lives across a call, the JIT keeps it in memory, also inside the loop before the call.
/// </remarks>
internal static unsafe class GemvTile
{
    /// <summary>sums[r] = w_r · x for 4 rows of W.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4x1<S, V, TFormat>(nint length, byte* w0, byte* w1, byte* w2, byte* w3, float* x, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
        for (nint p = 0; p < length; p += S.Width)
        {
            nint ahead = TFormat.RowBytes(p) + Tiling.PrefetchBytes;
            S.Prefetch(w0 + ahead);
            S.Prefetch(w1 + ahead);
            S.Prefetch(w2 + ahead);
            S.Prefetch(w3 + ahead);
            V v = S.Load(x + p);
            s0 = S.MultiplyAdd(TFormat.Widen<S, V>(w0, p), v, s0);
            s1 = S.MultiplyAdd(TFormat.Widen<S, V>(w1, p), v, s1);
            s2 = S.MultiplyAdd(TFormat.Widen<S, V>(w2, p), v, s2);
            s3 = S.MultiplyAdd(TFormat.Widen<S, V>(w3, p), v, s3);
        }
        sums[0] = S.Sum(s0);
        sums[1] = S.Sum(s1);
        sums[2] = S.Sum(s2);
        sums[3] = S.Sum(s3);
    }

    /// <summary>sums[4r + i] = w_r · x_i for 2 rows of W and 4 of X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot2x4<S, V, TFormat>(nint length, byte* w0, byte* w1, float* x0, float* x1, float* x2, float* x3, float* sums)
        where S : struct, ISimd<V>
        where V : struct
        where TFormat : struct, IWeightFormat
    {
        V s00 = S.Broadcast(0f), s01 = S.Broadcast(0f), s02 = S.Broadcast(0f), s03 = S.Broadcast(0f);
        V s10 = S.Broadcast(0f), s11 = S.Broadcast(0f), s12 = S.Broadcast(0f), s13 = S.Broadcast(0f);
        for (nint p = 0; p < length; p += S.Width)
        {
            nint ahead = TFormat.RowBytes(p) + Tiling.PrefetchBytes;
            S.Prefetch(w0 + ahead);
            S.Prefetch(w1 + ahead);
            V a = TFormat.Widen<S, V>(w0, p), b = TFormat.Widen<S, V>(w1, p);
            V x = S.Load(x0 + p);
            s00 = S.MultiplyAdd(a, x, s00);
            s10 = S.MultiplyAdd(b, x, s10);
            x = S.Load(x1 + p);
            s01 = S.MultiplyAdd(a, x, s01);
            s11 = S.MultiplyAdd(b, x, s11);
            x = S.Load(x2 + p);
            s02 = S.MultiplyAdd(a, x, s02);
            s12 = S.MultiplyAdd(b, x, s12);
            x = S.Load(x3 + p);
            s03 = S.MultiplyAdd(a, x, s03);
            s13 = S.MultiplyAdd(b, x, s13);
        }
        sums[0] = S.Sum(s00);
        sums[1] = S.Sum(s01);
        sums[2] = S.Sum(s02);
        sums[3] = S.Sum(s03);
        sums[4] = S.Sum(s10);
        sums[5] = S.Sum(s11);
        sums[6] = S.Sum(s12);
        sums[7] = S.Sum(s13);
    }
}
