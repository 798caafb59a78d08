using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>6 rows × 2 vectors: 12 sums, 2 operands and a broadcast in 16 registers.</summary>
/// <remarks>Two steps per turn: one step with its counting fills all four issue slots of a cycle, which a core that shares them with another does not have.</remarks>
internal static unsafe class Tile6x2
{
    /// <summary>Rows of the tile.</summary>
    public const int Rows = 6;

    private const int Vectors = 2;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call)
        where S : struct, ISimd<V>
        where V : struct
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
        nint p = 0, q = 3 * row;
        for (; p < call.K - 1; p += 2, q += 2, b += 2 * Vectors * S.Width)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V x = S.Broadcast(a0[p]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[p]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a2[p]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a0[q]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            x = S.Broadcast(a1[q]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            x = S.Broadcast(a2[q]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
            b0 = S.Load(b + (2 * S.Width));
            b1 = S.Load(b + (3 * S.Width));
            x = S.Broadcast(a0[p + 1]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[p + 1]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a2[p + 1]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a0[q + 1]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            x = S.Broadcast(a1[q + 1]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            x = S.Broadcast(a2[q + 1]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
        }
        for (; p < call.K; p++, q++, b += Vectors * S.Width)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            V x = S.Broadcast(a0[p]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[p]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a2[p]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a0[q]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            x = S.Broadcast(a1[q]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            x = S.Broadcast(a2[q]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
        }

        float* c = call.C;
        nint next = call.CRow;
        Put<S, V>(c, call.Accumulate, c00, c01);
        Put<S, V>(c + next, call.Accumulate, c10, c11);
        Put<S, V>(c + (2 * next), call.Accumulate, c20, c21);
        Put<S, V>(c + (3 * next), call.Accumulate, c30, c31);
        Put<S, V>(c + (4 * next), call.Accumulate, c40, c41);
        Put<S, V>(c + (5 * next), call.Accumulate, c50, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, bool accumulate, V v0, V v1)
        where S : struct, ISimd<V>
        where V : struct
    {
        S.Store(c, accumulate ? S.Add(S.Load(c), v0) : v0);
        S.Store(c + S.Width, accumulate ? S.Add(S.Load(c + S.Width), v1) : v1);
    }
}
