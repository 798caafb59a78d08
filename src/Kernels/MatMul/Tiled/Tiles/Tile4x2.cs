using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>4 rows × 2 vectors: 8 sums, for CPUs of which only Vector&lt;T&gt; is known.</summary>
internal static unsafe class Tile4x2
{
    /// <summary>Rows of the tile.</summary>
    public const int Rows = 4;

    private const int Vectors = 2;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call) where S : struct, ISimd<V>
    {
        V c00 = S.Broadcast(0f), c01 = S.Broadcast(0f);
        V c10 = S.Broadcast(0f), c11 = S.Broadcast(0f);
        V c20 = S.Broadcast(0f), c21 = S.Broadcast(0f);
        V c30 = S.Broadcast(0f), c31 = S.Broadcast(0f);
        nint row = call.ARow;
        float* a0 = call.A, a1 = a0 + row;
        float* b = call.B;
        for (nint p = 0, q = 2 * row; p < call.K; p++, q++)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            b += Vectors * S.Width;
            Tile.Row<S, V>(a0[p], b0, b1, ref c00, ref c01);
            Tile.Row<S, V>(a1[p], b0, b1, ref c10, ref c11);
            Tile.Row<S, V>(a0[q], b0, b1, ref c20, ref c21);
            Tile.Row<S, V>(a1[q], b0, b1, ref c30, ref c31);
        }
        float* c = call.C;
        nint next = call.CRow;
        Tile.Put<S, V>(c, call.Accumulate, c00, c01);
        Tile.Put<S, V>(c + next, call.Accumulate, c10, c11);
        Tile.Put<S, V>(c + (2 * next), call.Accumulate, c20, c21);
        Tile.Put<S, V>(c + (3 * next), call.Accumulate, c30, c31);
    }
}
