using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>8 rows × 2 vectors: what is left beside panels of three vectors, at AVX-512.</summary>
internal readonly unsafe struct Tile8x2 : ITile
{
    public static int Rows => 8;

    public static int Vectors => 2;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<S, V>(int k, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate)
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
        float* a0 = a, a1 = a + aRow, a2 = a + (2 * aRow), a3 = a + (3 * aRow), a4 = a + (4 * aRow), a5 = a + (5 * aRow), a6 = a + (6 * aRow), a7 = a + (7 * aRow);
        for (nint at = 0, end = k * aStep; at < end; at += aStep)
        {
            V b0 = S.Load(b), b1 = S.Load(b + S.Width);
            b += bStep;
            V x = S.Broadcast(a0[at]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[at]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a2[at]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a3[at]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
            x = S.Broadcast(a4[at]);
            c40 = S.MultiplyAdd(x, b0, c40);
            c41 = S.MultiplyAdd(x, b1, c41);
            x = S.Broadcast(a5[at]);
            c50 = S.MultiplyAdd(x, b0, c50);
            c51 = S.MultiplyAdd(x, b1, c51);
            x = S.Broadcast(a6[at]);
            c60 = S.MultiplyAdd(x, b0, c60);
            c61 = S.MultiplyAdd(x, b1, c61);
            x = S.Broadcast(a7[at]);
            c70 = S.MultiplyAdd(x, b0, c70);
            c71 = S.MultiplyAdd(x, b1, c71);
        }

        Put<S, V>(c, c00, c01, accumulate);
        Put<S, V>(c + cRow, c10, c11, accumulate);
        Put<S, V>(c + (2 * cRow), c20, c21, accumulate);
        Put<S, V>(c + (3 * cRow), c30, c31, accumulate);
        Put<S, V>(c + (4 * cRow), c40, c41, accumulate);
        Put<S, V>(c + (5 * cRow), c50, c51, accumulate);
        Put<S, V>(c + (6 * cRow), c60, c61, accumulate);
        Put<S, V>(c + (7 * cRow), c70, c71, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, V v0, V v1, bool accumulate)
        where S : struct, ISimd<V>
        where V : struct
    {
        S.Store(c, accumulate ? S.Add(S.Load(c), v0) : v0);
        S.Store(c + S.Width, accumulate ? S.Add(S.Load(c + S.Width), v1) : v1);
    }
}
