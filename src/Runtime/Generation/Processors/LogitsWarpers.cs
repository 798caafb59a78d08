namespace ManagedTransformers;

/// <summary>score / temperature: below 1 probable tokens become more probable, above 1 all become more alike.</summary>
/// <remarks>transformers' TemperatureLogitsWarper; Ackley et al. 1985 (Boltzmann machines).</remarks>
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

/// <summary>Keeps the k highest scores (minTokensToKeep where that is more), and those that equal the lowest of them.</summary>
/// <remarks>transformers' TopKLogitsWarper; Fan et al. 2018, arXiv:1805.04833.</remarks>
internal sealed class TopKLogitsWarper(int topK, int minTokensToKeep) : LogitsProcessor
{
    private readonly int _topK = Math.Max(topK, minTokensToKeep);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        if (_topK >= scores.Length)
            return;
        float lowest = Highest.At(_topK, scores);
        foreach (ref float score in scores)
        {
            if (score < lowest)
                score = float.NegativeInfinity;
        }
    }
}

/// <summary>Keeps the fewest most probable tokens whose probabilities together reach p (the nucleus): from the least probable token on, those are removed whose
/// cumulated probability is at most 1 − p.</summary>
/// <remarks>transformers' TopPLogitsWarper; Holtzman et al. 2020, arXiv:1904.09751. Of equally probable tokens that of the lower id goes first.</remarks>
internal sealed class TopPLogitsWarper(double topP, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _removed = (float)(1 - topP);

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        using var rentedOrder = new Scratch<int>(scores.Length);
        Span<float> probabilities = rented.Span;
        Softmax.Run(scores, probabilities, kernels);
        // transformers cumulates upwards over all tokens sorted. Downwards only the nucleus is ever put in order.
        double remaining = 0;
        foreach (float probability in probabilities)
            remaining += probability;
        var order = new ScoreOrder(scores, rentedOrder.Span, lowestIdFirst: false);
        for (int kept = 0; order.Count > 0; kept++)
        {
            if (kept >= minTokensToKeep && (float)remaining <= _removed)
                break;
            remaining -= probabilities[order.Take()];
        }
        foreach (int token in order.Rest)
            scores[token] = float.NegativeInfinity;
    }
}

/// <summary>Keeps tokens whose probability is at least min_p · that of the most probable token; where there are too few, the minTokensToKeep most
/// probable ones, of equals those of lower ids.</summary>
/// <remarks>transformers' MinPLogitsWarper; Nguyen et al. 2024, arXiv:2407.01082.</remarks>
internal sealed class MinPLogitsWarper(double minP, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _minP = (float)minP;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Span<float> probabilities = rented.Span;
        Softmax.Run(scores, probabilities, kernels);
        float highest = 0;
        foreach (float probability in probabilities)
            highest = Math.Max(highest, probability);
        float cutoff = _minP * highest;
        int kept = 0;
        foreach (float probability in probabilities)
            kept += probability >= cutoff ? 1 : 0;
        if (kept < minTokensToKeep)
            KeepHighest(scores);
        else
            Distribution.RemoveBelow(cutoff, probabilities, scores);
    }

    private void KeepHighest(Span<float> scores)
    {
        using var rented = new Scratch<int>(scores.Length);
        var order = new ScoreOrder(scores, rented.Span, lowestIdFirst: true);
        for (int kept = 0; kept < minTokensToKeep && order.Count > 0; kept++)
            order.Take();
        foreach (int token in order.Rest)
            scores[token] = float.NegativeInfinity;
    }
}

/// <summary>Keeps the tokens whose information −log p is closest to its expectation, the entropy H = −Σ p log p, until their probabilities together reach a
/// mass: ordered by |−log p − H|. The most probable token may go.</summary>
/// <remarks>transformers' TypicalLogitsWarper; Meister et al. 2022, arXiv:2202.00666.</remarks>
internal sealed class TypicalLogitsWarper(double mass, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _mass = (float)mass;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        using var rentedCloseness = new Scratch<float>(scores.Length);
        using var rentedOrder = new Scratch<int>(scores.Length);
        Span<float> probabilities = rented.Span, closeness = rentedCloseness.Span;
        Softmax.Run(scores, probabilities, kernels);
        float denominator = (float)Softmax.LogSumExp(scores, kernels);
        float entropy = (float)Distribution.Entropy(scores, probabilities, kernels);
        for (int i = 0; i < scores.Length; i++)
            closeness[i] = -MathF.Abs(denominator - scores[i] - entropy);    // −∞ where the token is removed already

        var order = new ScoreOrder(closeness, rentedOrder.Span, lowestIdFirst: true);
        double cumulated = 0;
        float last = float.NegativeInfinity;
        for (int kept = 0; order.Count > 0 && (kept < minTokensToKeep || (float)cumulated < _mass); kept++)
        {
            int token = order.Take();
            if ((float)cumulated < _mass)
                last = closeness[token];
            cumulated += probabilities[token];
        }
        // Where all tokens together stay below the mass, by rounding, the loop has taken all.
        foreach (int token in order.Rest)
        {
            if (closeness[token] < last)
                scores[token] = float.NegativeInfinity;
        }
    }
}

/// <summary>Keeps tokens whose probability is at least ε; where there are too few, the minTokensToKeep most probable ones and their equals.</summary>
/// <remarks>transformers' EpsilonLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
internal sealed class EpsilonLogitsWarper(double epsilon, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _epsilon = (float)epsilon;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, kernels);
        Distribution.RemoveBelow(_epsilon, minTokensToKeep, rented.Span, scores);
    }
}

/// <summary>Keeps tokens whose probability is at least η = min(ε, √ε · exp(−H)), with the entropy H = −Σ p log p; where there are too few, the most probable
/// ones.</summary>
/// <remarks>transformers' EtaLogitsWarper; Hewitt et al. 2022, arXiv:2210.15191.</remarks>
internal sealed class EtaLogitsWarper(double epsilon, int minTokensToKeep, KernelOptions kernels) : LogitsProcessor
{
    private readonly float _epsilon = (float)epsilon;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        using var rented = new Scratch<float>(scores.Length);
        Softmax.Run(scores, rented.Span, kernels);
        float entropy = (float)Distribution.Entropy(scores, rented.Span, kernels);
        float eta = Math.Min(_epsilon, MathF.Sqrt(_epsilon) * MathF.Exp(-entropy));
        Distribution.RemoveBelow(eta, minTokensToKeep, rented.Span, scores);
    }
}

/// <summary>What several warpers ask of the distribution of the next token.</summary>
internal static class Distribution
{
    /// <summary>H = −Σ p log p = log Σ exp(x) − Σ p x, of scores x and probabilities p = softmax(x). An impossible token (−∞) adds nothing.</summary>
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
