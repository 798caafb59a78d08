using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>8 rows × 2 vectors: 16 sums in the 32 registers of AVX-512; 10 loads for 16 multiply-adds.</summary>
internal static unsafe class Tile8x2
{
    /// <summary>Rows of the tile.</summary>
    public const int Rows = 8;

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
        V c60 = S.Broadcast(0f), c61 = S.Broadcast(0f);
        V c70 = S.Broadcast(0f), c71 = S.Broadcast(0f);
        nint row = call.ARow;
        float* a0 = call.A, a1 = a0 + row, a2 = a0 + (2 * row), a3 = a0 + (3 * row);
        float* b = call.B;
        for (nint p = 0, q = 4 * row; p < call.K; p++, q++)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            b += Vectors * S.Width;
            V x = S.Broadcast(a0[p]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[p]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a2[p]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a3[p]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            x = S.Broadcast(a0[q]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            x = S.Broadcast(a1[q]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
            x = S.Broadcast(a2[q]);
            c60 = S.MultiplyAdd(x, b0, c60);
            c61 = S.MultiplyAdd(x, b1, c61);
            x = S.Broadcast(a3[q]);
            c70 = S.MultiplyAdd(x, b0, c70);
            c71 = S.MultiplyAdd(x, b1, c71);
        }

        float* c = call.C;
        nint next = call.CRow;
        Put<S, V>(c, call.Accumulate, c00, c01);
        Put<S, V>(c + next, call.Accumulate, c10, c11);
        Put<S, V>(c + (2 * next), call.Accumulate, c20, c21);
        Put<S, V>(c + (3 * next), call.Accumulate, c30, c31);
        Put<S, V>(c + (4 * next), call.Accumulate, c40, c41);
        Put<S, V>(c + (5 * next), call.Accumulate, c50, c51);
        Put<S, V>(c + (6 * next), call.Accumulate, c60, c61);
        Put<S, V>(c + (7 * next), call.Accumulate, c70, c71);
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
