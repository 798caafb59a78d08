using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>6 rows × 2 vectors: 12 sums, 2 operands and a broadcast in 16 registers.</summary>
/// <remarks>
/// Two steps per turn: one step with its counting fills all four issue slots of a cycle, which a core that shares them with another does not have.
/// </remarks>
internal static unsafe class Tile6x2
{
    public const int Rows = 6;

    private const int Vectors = 2;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call) where S : struct, ISimd<V>
    {
        V c00 = S.Broadcast(0f), c01 = S.Broadcast(0f);
        V c10 = S.Broadcast(0f), c11 = S.Broadcast(0f);
        V c20 = S.Broadcast(0f), c21 = S.Broadcast(0f);
        V c30 = S.Broadcast(0f), c31 = S.Broadcast(0f);
        V c40 = S.Broadcast(0f), c41 = S.Broadcast(0f);
        V c50 = S.Broadcast(0f), c51 = S.Broadcast(0f);
        nint row = call.ARow;
        float* a0 = call.A, a1 = a0 + row, a2 = a0 + (2 * row);
        float* b = call.B;
        PrefetchRange prefetch = call.Prefetch;
        nint p = 0, q = 3 * row;
        for (int stretch = 0; stretch < prefetch.Stretches; stretch++)
        {
            byte* line = prefetch.Start + (stretch * prefetch.Stride);
            nint step = 2 * prefetch.Step;
            for (nint end = p + prefetch.Steps; p < end; p += 2, q += 2, b += 2 * Vectors * S.Width)
            {
                S.PrefetchL2(line);
                line += step;
                V b0 = S.Load(b), b1 = S.Load(b + S.Width);
                Tile.Row<S, V>(a0[p], b0, b1, ref c00, ref c01);
                Tile.Row<S, V>(a1[p], b0, b1, ref c10, ref c11);
                Tile.Row<S, V>(a2[p], b0, b1, ref c20, ref c21);
                Tile.Row<S, V>(a0[q], b0, b1, ref c30, ref c31);
                Tile.Row<S, V>(a1[q], b0, b1, ref c40, ref c41);
                Tile.Row<S, V>(a2[q], b0, b1, ref c50, ref c51);
                b0 = S.Load(b + (2 * S.Width));
                b1 = S.Load(b + (3 * S.Width));
                Tile.Row<S, V>(a0[p + 1], b0, b1, ref c00, ref c01);
                Tile.Row<S, V>(a1[p + 1], b0, b1, ref c10, ref c11);
                Tile.Row<S, V>(a2[p + 1], b0, b1, ref c20, ref c21);
                Tile.Row<S, V>(a0[q + 1], b0, b1, ref c30, ref c31);
                Tile.Row<S, V>(a1[q + 1], b0, b1, ref c40, ref c41);
                Tile.Row<S, V>(a2[q + 1], b0, b1, ref c50, ref c51);
            }
        }
        for (; p < call.K; p++, q++, b += Vectors * S.Width)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            Tile.Row<S, V>(a0[p], b0, b1, ref c00, ref c01);
            Tile.Row<S, V>(a1[p], b0, b1, ref c10, ref c11);
            Tile.Row<S, V>(a2[p], b0, b1, ref c20, ref c21);
            Tile.Row<S, V>(a0[q], b0, b1, ref c30, ref c31);
            Tile.Row<S, V>(a1[q], b0, b1, ref c40, ref c41);
            Tile.Row<S, V>(a2[q], b0, b1, ref c50, ref c51);
        }
        float* c = call.C;
        nint next = call.CRow;
        Tile.Put<S, V>(c, call.Accumulate, c00, c01);
        Tile.Put<S, V>(c + next, call.Accumulate, c10, c11);
        Tile.Put<S, V>(c + (2 * next), call.Accumulate, c20, c21);
        Tile.Put<S, V>(c + (3 * next), call.Accumulate, c30, c31);
        Tile.Put<S, V>(c + (4 * next), call.Accumulate, c40, c41);
        Tile.Put<S, V>(c + (5 * next), call.Accumulate, c50, c51);
    }
}
