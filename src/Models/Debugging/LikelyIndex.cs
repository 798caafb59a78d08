using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Models;

/// <summary>A token that a row of scores makes likely, if it is one.</summary>
/// <param name="Index">Its id.</param>
/// <param name="Probability">Softmax of the row.</param>
/// <param name="Logit">Its score.</param>
[DebuggerDisplay("{ToString(),nq}")]
internal readonly record struct LikelyIndex(int Index, double Probability, float Logit)
{
    /// <summary>A row that is no longer than this has the width of a layer rather than of a vocabulary.</summary>
    public const int ShortestRow = 1000;

    private const int Most = 10;

    /// <summary>The ten most likely, best first, of equals the lower index first; none where softmax has no value.</summary>
    public static LikelyIndex[] Of(float[] logits)
    {
        float max = float.NegativeInfinity;
        foreach (float x in logits)
            max = Math.Max(max, x);                     // NaN stays
        if (!float.IsFinite(max)) return [];
        double sum = 0;
        foreach (float x in logits) sum += Math.Exp((double)x - max);
        return [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).Take(Most)
            .Select(i => new LikelyIndex(i, Math.Exp((double)logits[i] - max) / sum, logits[i]))];
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}: {Probability:F4} (logit {Logit:G4})");
}
