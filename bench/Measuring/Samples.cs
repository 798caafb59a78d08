namespace ManagedTransformers.Bench;

/// <summary>Times in milliseconds, or ratios.</summary>
internal static class Samples
{
    /// <summary>The middle one; the mean of the middle two where their number is even.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
