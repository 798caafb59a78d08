using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Models;

/// <summary>What numbers are like, for debugger views: range and mean of the finite ones, and how many are none.</summary>
/// <param name="Min">The least finite number.</param>
/// <param name="Max">The greatest finite number.</param>
/// <param name="Mean">The mean of the finite numbers.</param>
/// <param name="NaN">How many are NaN.</param>
/// <param name="Infinite">How many are infinite.</param>
/// <param name="Count">How many were looked at.</param>
/// <param name="Length">How many there are.</param>
[DebuggerDisplay("{ToString(),nq}")]
internal sealed record NumberSummary(float Min, float Max, double Mean, int NaN, int Infinite, int Count, long Length)
{
    /// <summary>Of more numbers only the first are looked at: a debugger asks anew at every stop, for everything in sight.</summary>
    public const int MostCounted = 1 << 22;

    public static NumberSummary Of(ReadOnlySpan<float> numbers)
    {
        (float min, float max, double sum, int nan, int infinite) = (float.PositiveInfinity, float.NegativeInfinity, 0, 0, 0);
        ReadOnlySpan<float> counted = numbers[..Math.Min(numbers.Length, MostCounted)];
        foreach (float x in counted)
        {
            if (float.IsFinite(x)) (min, max, sum) = (Math.Min(min, x), Math.Max(max, x), sum + x);
            else if (float.IsNaN(x)) nan++;
            else infinite++;
        }
        return new NumberSummary(min, max, sum / Math.Max(1, counted.Length - nan - infinite), nan, infinite, counted.Length, numbers.Length);
    }

    public override string ToString()
    {
        if (Count == 0) return "";
        List<string> parts = [];
        if (Count > NaN + Infinite)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"min {Min:G4} max {Max:G4} mean {Mean:G4}"));
        if (NaN > 0) parts.Add($"{NaN} NaN");
        if (Infinite > 0) parts.Add($"{Infinite} infinite");
        return string.Join(", ", parts) + (Count < Length ? $" (of the first {Count})" : "");
    }
}
