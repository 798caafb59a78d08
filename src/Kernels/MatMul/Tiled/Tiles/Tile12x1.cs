using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>12 rows × 1 vector: 12 sums. W passes by as fast as memory gives it, so each step prefetches what the next tile takes.</summary>
internal static unsafe class Tile12x1
{
    public const int Rows = 12;

    private const int Vectors = 1;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call) where S : struct, ISimd<V>
    {
        V c0 = S.Broadcast(0f), c1 = S.Broadcast(0f), c2 = S.Broadcast(0f), c3 = S.Broadcast(0f);
        V c4 = S.Broadcast(0f), c5 = S.Broadcast(0f), c6 = S.Broadcast(0f), c7 = S.Broadcast(0f);
        V c8 = S.Broadcast(0f), c9 = S.Broadcast(0f), ca = S.Broadcast(0f), cb = S.Broadcast(0f);
        nint row = call.ARow;
        float* a0 = call.A, a1 = a0 + row, a2 = a0 + (2 * row), a3 = a0 + (3 * row);
        float* b = call.B;
        PrefetchRange prefetch = call.Prefetch;
        nint p = 0, q = 4 * row, s = 8 * row;
        for (int stretch = 0; stretch < prefetch.Stretches; stretch++)
        {
            byte* line = prefetch.Start + (stretch * prefetch.Stride);
            nint end = stretch + 1 < prefetch.Stretches ? p + prefetch.Steps : call.K;
            for (; p < end; p++, q++, s++, b += Vectors * S.Width)
            {
                S.PrefetchL2(line);
                line += prefetch.Step;
                V b0 = S.Load(b);
                c0 = S.MultiplyAdd(S.Broadcast(a0[p]), b0, c0);
                c1 = S.MultiplyAdd(S.Broadcast(a1[p]), b0, c1);
                c2 = S.MultiplyAdd(S.Broadcast(a2[p]), b0, c2);
                c3 = S.MultiplyAdd(S.Broadcast(a3[p]), b0, c3);
                c4 = S.MultiplyAdd(S.Broadcast(a0[q]), b0, c4);
                c5 = S.MultiplyAdd(S.Broadcast(a1[q]), b0, c5);
                c6 = S.MultiplyAdd(S.Broadcast(a2[q]), b0, c6);
                c7 = S.MultiplyAdd(S.Broadcast(a3[q]), b0, c7);
                c8 = S.MultiplyAdd(S.Broadcast(a0[s]), b0, c8);
                c9 = S.MultiplyAdd(S.Broadcast(a1[s]), b0, c9);
                ca = S.MultiplyAdd(S.Broadcast(a2[s]), b0, ca);
                cb = S.MultiplyAdd(S.Broadcast(a3[s]), b0, cb);
            }
        }
        float* c = call.C;
        nint next = call.CRow;
        Tile.Put<S, V>(c, call.Accumulate, c0);
        Tile.Put<S, V>(c + next, call.Accumulate, c1);
        Tile.Put<S, V>(c + (2 * next), call.Accumulate, c2);
        Tile.Put<S, V>(c + (3 * next), call.Accumulate, c3);
        Tile.Put<S, V>(c + (4 * next), call.Accumulate, c4);
        Tile.Put<S, V>(c + (5 * next), call.Accumulate, c5);
        Tile.Put<S, V>(c + (6 * next), call.Accumulate, c6);
        Tile.Put<S, V>(c + (7 * next), call.Accumulate, c7);
        Tile.Put<S, V>(c + (8 * next), call.Accumulate, c8);
        Tile.Put<S, V>(c + (9 * next), call.Accumulate, c9);
        Tile.Put<S, V>(c + (10 * next), call.Accumulate, ca);
        Tile.Put<S, V>(c + (11 * next), call.Accumulate, cb);
    }
}
