namespace ManagedTransformers;

/// <summary>score / temperature: below 1 probable tokens become more probable, above 1 all become more alike.</summary>
/// <remarks>transformers' TemperatureLogitsWarper; Ackley et al. 1985 (Boltzmann machines).</remarks>
/// <param name="temperature">Above 0.</param>
internal sealed class TemperatureLogitsWarper(double temperature) : LogitsProcessor
{
    private readonly float _temperature = (float)temperature;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        float highest = float.NegativeInfinity;
        foreach (float score in scores)
            highest = Math.Max(highest, score);
        // So close to 0 that quotients overflow: probabilities depend on differences only, so the highest score becomes 0 first.
        float shift = float.IsFinite(highest) && !float.IsFinite(highest / _temperature) ? highest : 0;
        for (int i = 0; i < scores.Length; i++)
            scores[i] = (scores[i] - shift) / _temperature;
    }
}
