using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>The inner loop of a query's scores: four keys against the query, over the whole vectors of a head.</summary>
/// <remarks>It calls nothing: where an accumulator lives across a call, the JIT keeps it in memory.</remarks>
internal static unsafe class ScoreTile
{
    /// <summary>sums[j] = k_j · q for 4 keys; what lies <paramref name="ahead"/> bytes behind them is prefetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Dot4<S, V, TFormat>(nint length, byte* k0, byte* k1, byte* k2, byte* k3, nint ahead, float* q, float* sums)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        V s0 = S.Broadcast(0f), s1 = S.Broadcast(0f), s2 = S.Broadcast(0f), s3 = S.Broadcast(0f);
        for (nint p = 0; p < length; p += S.Width)
        {
            V v = S.Load(q + p);
            nint line = ahead + TFormat.RowBytes(p);
            S.Prefetch(k0 + line);
            S.Prefetch(k1 + line);
            S.Prefetch(k2 + line);
            S.Prefetch(k3 + line);
            s0 = S.MultiplyAdd(TFormat.Widen<S, V>(k0, p, decoding), v, s0);
            s1 = S.MultiplyAdd(TFormat.Widen<S, V>(k1, p, decoding), v, s1);
            s2 = S.MultiplyAdd(TFormat.Widen<S, V>(k2, p, decoding), v, s2);
            s3 = S.MultiplyAdd(TFormat.Widen<S, V>(k3, p, decoding), v, s3);
        }
        S.Sum4(s0, s1, s2, s3, sums);
    }
}
