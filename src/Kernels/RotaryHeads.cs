using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>x[2i] cos − x[2i+1] sin and x[2i+1] cos + x[2i] sin, as x · [cos cos] + swapped x · [−sin sin].</summary>
internal static unsafe class RotaryHeads
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V>(float* x, int heads, int headStride, float* cos, float* sin, int half)
        where S : struct, ISimd<V>
        where V : struct
    {
        int length = 2 * half;
        float* c = Scratch.ForTask(2L * length), s = c + length;
        for (int i = 0; i < half; i++)
        {
            c[2 * i] = c[(2 * i) + 1] = cos[i];
            s[2 * i] = -sin[i];
            s[(2 * i) + 1] = sin[i];
        }

        for (int head = 0; head < heads; head++)
        {
            float* h = x + ((nint)head * headStride);
            int i = 0;
            for (; i <= length - S.Width; i += S.Width)
            {
                V v = S.Load(h + i);
                S.Store(h + i, S.MultiplyAdd(v, S.Load(c + i), S.Multiply(S.SwapPairs(v), S.Load(s + i))));
            }
            for (; i < length; i += 2)
            {
                float a = h[i], b = h[i + 1];
                h[i] = (a * c[i]) + (b * s[i]);
                h[i + 1] = (b * c[i]) + (a * s[i + 1]);
            }
        }
    }
}
