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

    public static void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float eps, Span<float> y)
    {
        double square = 0;
        for (int i = 0; i < x.Length; i++) square += (double)x[i] * x[i];
        square /= x.Length;

        for (int i = 0; i < x.Length; i++)
            y[i] = (float)(x[i] / Math.Sqrt(square + eps) * weight[i]);
    }
}
