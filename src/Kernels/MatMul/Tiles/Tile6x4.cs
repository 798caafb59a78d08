using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>6 rows × 4 vectors: 24 sums, 4 operands and a broadcast in the 32 registers of AVX-512; 10 loads for 24 multiply-adds.</summary>
internal static unsafe class Tile6x4
{
    /// <summary>Rows of the tile.</summary>
    public const int Rows = 6;

    private const int Vectors = 4;

    /// <inheritdoc cref="ITiles.Run"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run<S, V>(in TileCall call)
        where S : struct, ISimd<V>
        where V : struct
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
        for (nint p = 0, q = 3 * row; p < call.K; p++, q++)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width), b2 = S.Load(b + (2 * S.Width)), b3 = S.Load(b + (3 * S.Width));
            b += Vectors * S.Width;
            V x = S.Broadcast(a0[p]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            c02 = S.MultiplyAdd(x, b2, c02);
            c03 = S.MultiplyAdd(x, b3, c03);
            x = S.Broadcast(a1[p]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            c12 = S.MultiplyAdd(x, b2, c12);
            c13 = S.MultiplyAdd(x, b3, c13);
            x = S.Broadcast(a2[p]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            c22 = S.MultiplyAdd(x, b2, c22);
            c23 = S.MultiplyAdd(x, b3, c23);
            x = S.Broadcast(a0[q]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            c32 = S.MultiplyAdd(x, b2, c32);
            c33 = S.MultiplyAdd(x, b3, c33);
            x = S.Broadcast(a1[q]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            c42 = S.MultiplyAdd(x, b2, c42);
            c43 = S.MultiplyAdd(x, b3, c43);
            x = S.Broadcast(a2[q]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
            c52 = S.MultiplyAdd(x, b2, c52);
            c53 = S.MultiplyAdd(x, b3, c53);
        }

        float* c = call.C;
        nint next = call.CRow;
        Put<S, V>(c, call.Accumulate, c00, c01, c02, c03);
        Put<S, V>(c + next, call.Accumulate, c10, c11, c12, c13);
        Put<S, V>(c + (2 * next), call.Accumulate, c20, c21, c22, c23);
        Put<S, V>(c + (3 * next), call.Accumulate, c30, c31, c32, c33);
        Put<S, V>(c + (4 * next), call.Accumulate, c40, c41, c42, c43);
        Put<S, V>(c + (5 * next), call.Accumulate, c50, c51, c52, c53);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, bool accumulate, V v0, V v1, V v2, V v3)
        where S : struct, ISimd<V>
        where V : struct
    {
        S.Store(c, accumulate ? S.Add(S.Load(c), v0) : v0);
        S.Store(c + S.Width, accumulate ? S.Add(S.Load(c + S.Width), v1) : v1);
        S.Store(c + (2 * S.Width), accumulate ? S.Add(S.Load(c + (2 * S.Width)), v2) : v2);
        S.Store(c + (3 * S.Width), accumulate ? S.Add(S.Load(c + (3 * S.Width)), v3) : v3);
    }
}
