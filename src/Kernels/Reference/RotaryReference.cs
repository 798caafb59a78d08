namespace ManagedTransformers.Kernels;

/// <summary>Rotation of the pairs of one head.</summary>
internal static class RotaryReference
{
    public static void Run(Span<float> x, ReadOnlySpan<float> cos, ReadOnlySpan<float> sin)
    {
        for (int i = 0; i < cos.Length; i++)
        {
            double a = x[2 * i], b = x[(2 * i) + 1];
            x[2 * i] = (float)((a * cos[i]) - (b * sin[i]));
            x[(2 * i) + 1] = (float)((b * cos[i]) + (a * sin[i]));
        }
    }
}
