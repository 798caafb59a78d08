namespace ManagedTransformers.Bench;

/// <summary>Times in milliseconds, ratios, or what a process holds.</summary>
internal static class Samples
{
    /// <summary>The middle one; the mean of the middle two where their number is even.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The line of least squares through values at equal distances.</summary>
    /// <returns>Their mean, which it has in the middle, and its rise from one to the next.</returns>
    public static (double Mean, double Rise) Line(IReadOnlyList<double> values)
    {
        double middle = (values.Count - 1) / 2.0, mean = values.Average();
        double rise = values.Select((one, i) => (i - middle) * (one - mean)).Sum() / values.Select((_, i) => (i - middle) * (i - middle)).Sum();
        return (mean, rise);
    }
}
