using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>x[2i] cos − x[2i+1] sin and x[2i+1] cos + x[2i] sin, as x · [cos cos] + swapped x · [−sin sin].</summary>
internal static unsafe class RotaryHead
{
    /// <summary>The angles of a position, cos and sin [pairs], each for both values of its pair: both = cos cos, signed = −sin sin, [2 · pairs].</summary>
    public static void Angles(float* cos, float* sin, int pairs, float* both, float* signed)
    {
        for (int i = 0; i < pairs; i++)
        {
            both[2 * i] = both[(2 * i) + 1] = cos[i];
            signed[2 * i] = -sin[i];
            signed[(2 * i) + 1] = sin[i];
        }
    }

    /// <summary>Turns the first <paramref name="length"/> values of a head in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Turn<S, V>(float* x, float* both, float* signed, nint length) where S : struct, ISimd<V>
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            V v = S.Load(x + i);
            S.Store(x + i, S.MultiplyAdd(v, S.Load(both + i), S.Multiply(S.SwapPairs(v), S.Load(signed + i))));
        }
        for (; i < length; i += 2)
        {
            float a = x[i], b = x[i + 1];
            x[i] = (a * both[i]) + (b * signed[i]);
            x[i + 1] = (b * both[i]) + (a * signed[i + 1]);
        }
    }
}
