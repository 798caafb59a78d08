namespace ManagedTransformers;

/// <summary>What several warpers ask of the distribution of the next token.</summary>
internal static class Distribution
{
    /// <summary>H = −Σ p log p = log Σ exp(x) − Σ p x.</summary>
    /// <param name="scores">x; −∞ where a token is impossible, which adds nothing.</param>
    /// <param name="probabilities">p = softmax(x).</param>
    /// <param name="kernels">Level of the sum.</param>
    public static double Entropy(ReadOnlySpan<float> scores, ReadOnlySpan<float> probabilities, KernelOptions kernels)
    {
        double denominator = Softmax.LogSumExp(scores, kernels), entropy = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (probabilities[i] > 0)
                entropy += probabilities[i] * (denominator - scores[i]);
        }
        return entropy;
    }

    /// <summary>Removes tokens below a probability.</summary>
    public static void RemoveBelow(float cutoff, ReadOnlySpan<float> probabilities, Span<float> scores)
    {
        for (int i = 0; i < scores.Length; i++)
        {
            if (probabilities[i] < cutoff)
                scores[i] = float.NegativeInfinity;
        }
    }

    /// <summary>Removes tokens below a probability, but none of the highest scores, nor what equals the lowest of them.</summary>
    public static void RemoveBelow(float cutoff, int minTokensToKeep, ReadOnlySpan<float> probabilities, Span<float> scores)
    {
        float kept = Highest.At(Math.Min(minTokensToKeep, scores.Length), scores);
        for (int i = 0; i < scores.Length; i++)
        {
            if (probabilities[i] < cutoff && scores[i] < kept)
                scores[i] = float.NegativeInfinity;
        }
    }
}
