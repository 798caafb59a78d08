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
    public static void Run<S, V>(in TileCall call)
        where S : struct, ISimd<V>
        where V : struct
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
            V x = S.Broadcast(a0[p]);
            c00 = S.MultiplyAdd(x, b0, c00);
            c01 = S.MultiplyAdd(x, b1, c01);
            x = S.Broadcast(a1[p]);
            c10 = S.MultiplyAdd(x, b0, c10);
            c11 = S.MultiplyAdd(x, b1, c11);
            x = S.Broadcast(a0[q]);
            c20 = S.MultiplyAdd(x, b0, c20);
            c21 = S.MultiplyAdd(x, b1, c21);
            x = S.Broadcast(a1[q]);
            c30 = S.MultiplyAdd(x, b0, c30);
            c31 = S.MultiplyAdd(x, b1, c31);
        }

        float* c = call.C;
        nint next = call.CRow;
        Put<S, V>(c, call.Accumulate, c00, c01);
        Put<S, V>(c + next, call.Accumulate, c10, c11);
        Put<S, V>(c + (2 * next), call.Accumulate, c20, c21);
        Put<S, V>(c + (3 * next), call.Accumulate, c30, c31);
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
