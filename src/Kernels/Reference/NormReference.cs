namespace ManagedTransformers.Kernels;

/// <summary>Normalisation of one row.</summary>
internal static class NormReference
{
    public static void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float eps, Span<float> y)
    {
        double mean = 0;
        for (int i = 0; i < x.Length; i++) mean += x[i];
        mean /= x.Length;

        double variance = 0;
        for (int i = 0; i < x.Length; i++) variance += (x[i] - mean) * (x[i] - mean);
        variance /= x.Length;

        for (int i = 0; i < x.Length; i++)
            y[i] = (float)(((x[i] - mean) / Math.Sqrt(variance + eps) * weight[i]) + bias[i]);
    }
}
