namespace ManagedTransformers.Kernels;

/// <summary>Softmax of one row.</summary>
internal static class SoftmaxReference
{
    public static void Run(ReadOnlySpan<float> x, Span<float> y)
    {
        double max = Max(x);
        double sum = 0;
        for (int i = 0; i < x.Length; i++) sum += Math.Exp(x[i] - max);
        for (int i = 0; i < x.Length; i++) y[i] = (float)(Math.Exp(x[i] - max) / sum);
    }

    public static double LogSumExp(ReadOnlySpan<float> x)
    {
        double max = Max(x);
        if (double.IsInfinity(max)) return max;                      // ∞ − ∞ would be NaN
        double sum = 0;
        for (int i = 0; i < x.Length; i++) sum += Math.Exp(x[i] - max);
        return max + Math.Log(sum);
    }

    private static double Max(ReadOnlySpan<float> x)
    {
        double max = double.NegativeInfinity;
        for (int i = 0; i < x.Length; i++) max = Math.Max(max, x[i]);   // Math.Max keeps NaN
        return max;
    }
}
