using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>8 rows × 1 vector: for what is left where the wide tile does not fit, at every level.</summary>
internal readonly unsafe struct Tile8x1 : ITile
{
    public static int Rows => 8;

    public static int Vectors => 1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<S, V>(int k, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, bool accumulate)
        where S : struct, ISimd<V>
        where V : struct
    {
        V c0 = S.Broadcast(0f), c1 = S.Broadcast(0f), c2 = S.Broadcast(0f), c3 = S.Broadcast(0f);
        V c4 = S.Broadcast(0f), c5 = S.Broadcast(0f), c6 = S.Broadcast(0f), c7 = S.Broadcast(0f);
        float* a0 = a, a1 = a + aRow, a2 = a + (2 * aRow), a3 = a + (3 * aRow), a4 = a + (4 * aRow), a5 = a + (5 * aRow), a6 = a + (6 * aRow), a7 = a + (7 * aRow);
        for (nint at = 0, end = k * aStep; at < end; at += aStep)
        {
            V x = S.Load(b);
            b += bStep;
            c0 = S.MultiplyAdd(S.Broadcast(a0[at]), x, c0);
            c1 = S.MultiplyAdd(S.Broadcast(a1[at]), x, c1);
            c2 = S.MultiplyAdd(S.Broadcast(a2[at]), x, c2);
            c3 = S.MultiplyAdd(S.Broadcast(a3[at]), x, c3);
            c4 = S.MultiplyAdd(S.Broadcast(a4[at]), x, c4);
            c5 = S.MultiplyAdd(S.Broadcast(a5[at]), x, c5);
            c6 = S.MultiplyAdd(S.Broadcast(a6[at]), x, c6);
            c7 = S.MultiplyAdd(S.Broadcast(a7[at]), x, c7);
        }

        Put<S, V>(c, c0, accumulate);
        Put<S, V>(c + cRow, c1, accumulate);
        Put<S, V>(c + (2 * cRow), c2, accumulate);
        Put<S, V>(c + (3 * cRow), c3, accumulate);
        Put<S, V>(c + (4 * cRow), c4, accumulate);
        Put<S, V>(c + (5 * cRow), c5, accumulate);
        Put<S, V>(c + (6 * cRow), c6, accumulate);
        Put<S, V>(c + (7 * cRow), c7, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(float* c, V v, bool accumulate)
        where S : struct, ISimd<V>
        where V : struct => S.Store(c, accumulate ? S.Add(S.Load(c), v) : v);
}
