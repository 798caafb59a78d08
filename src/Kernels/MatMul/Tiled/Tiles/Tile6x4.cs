using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>6 rows × 4 vectors: 24 sums, 4 operands and a broadcast in the 32 registers of AVX-512; 10 loads for 24 multiply-adds.</summary>
internal static unsafe class Tile6x4
{
    public const int Rows = 6;

    private const int Vectors = 4;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call) where S : struct, ISimd<V>
    {
        V c00 = S.Broadcast(0f), c01 = S.Broadcast(0f), c02 = S.Broadcast(0f), c03 = S.Broadcast(0f);
        V c10 = S.Broadcast(0f), c11 = S.Broadcast(0f), c12 = S.Broadcast(0f), c13 = S.Broadcast(0f);
        V c20 = S.Broadcast(0f), c21 = S.Broadcast(0f), c22 = S.Broadcast(0f), c23 = S.Broadcast(0f);
        V c30 = S.Broadcast(0f), c31 = S.Broadcast(0f), c32 = S.Broadcast(0f), c33 = S.Broadcast(0f);
        V c40 = S.Broadcast(0f), c41 = S.Broadcast(0f), c42 = S.Broadcast(0f), c43 = S.Broadcast(0f);
        V c50 = S.Broadcast(0f), c51 = S.Broadcast(0f), c52 = S.Broadcast(0f), c53 = S.Broadcast(0f);
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
                V b0 = S.Load(b), b1 = S.Load(b + S.Width), b2 = S.Load(b + (2 * S.Width)), b3 = S.Load(b + (3 * S.Width));
                Tile.Row<S, V>(a0[p], b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
                Tile.Row<S, V>(a1[p], b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);
                Tile.Row<S, V>(a2[p], b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
                Tile.Row<S, V>(a0[q], b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
                Tile.Row<S, V>(a1[q], b0, b1, b2, b3, ref c40, ref c41, ref c42, ref c43);
                Tile.Row<S, V>(a2[q], b0, b1, b2, b3, ref c50, ref c51, ref c52, ref c53);
                b0 = S.Load(b + (4 * S.Width));
                b1 = S.Load(b + (5 * S.Width));
                b2 = S.Load(b + (6 * S.Width));
                b3 = S.Load(b + (7 * S.Width));
                Tile.Row<S, V>(a0[p + 1], b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
                Tile.Row<S, V>(a1[p + 1], b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);
                Tile.Row<S, V>(a2[p + 1], b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
                Tile.Row<S, V>(a0[q + 1], b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
                Tile.Row<S, V>(a1[q + 1], b0, b1, b2, b3, ref c40, ref c41, ref c42, ref c43);
                Tile.Row<S, V>(a2[q + 1], b0, b1, b2, b3, ref c50, ref c51, ref c52, ref c53);
            }
        }
        for (; p < call.K; p++, q++, b += Vectors * S.Width)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width), b2 = S.Load(b + (2 * S.Width)), b3 = S.Load(b + (3 * S.Width));
            Tile.Row<S, V>(a0[p], b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
            Tile.Row<S, V>(a1[p], b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);
            Tile.Row<S, V>(a2[p], b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
            Tile.Row<S, V>(a0[q], b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
            Tile.Row<S, V>(a1[q], b0, b1, b2, b3, ref c40, ref c41, ref c42, ref c43);
            Tile.Row<S, V>(a2[q], b0, b1, b2, b3, ref c50, ref c51, ref c52, ref c53);
        }
        float* c = call.C;
        nint next = call.CRow;
        Tile.Put<S, V>(c, call.Accumulate, c00, c01, c02, c03);
        Tile.Put<S, V>(c + next, call.Accumulate, c10, c11, c12, c13);
        Tile.Put<S, V>(c + (2 * next), call.Accumulate, c20, c21, c22, c23);
        Tile.Put<S, V>(c + (3 * next), call.Accumulate, c30, c31, c32, c33);
        Tile.Put<S, V>(c + (4 * next), call.Accumulate, c40, c41, c42, c43);
        Tile.Put<S, V>(c + (5 * next), call.Accumulate, c50, c51, c52, c53);
    }
}
