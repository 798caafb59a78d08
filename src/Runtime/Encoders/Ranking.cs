namespace ManagedTransformers;


/// <summary>The best of many scores.</summary>
internal static class Ranking
{
    /// <summary>The numbers of the <paramref name="count"/> highest scores, highest first; of equals the lower number first.</summary>
    public static int[] Best(ReadOnlySpan<float> scores, int count)
    {
        count = Math.Min(count, scores.Length);
        var queue = new PriorityQueue<int, (float Score, int Negated)>(count + 1);
        for (int i = 0; i < scores.Length; i++)
        {
            if (queue.Count < count)
                queue.Enqueue(i, (scores[i], -i));
            else if (queue.TryPeek(out _, out (float Score, int Negated) worst) && scores[i] > worst.Score)
                queue.DequeueEnqueue(i, (scores[i], -i));
        }
        var best = new int[count];
        for (int i = count - 1; i >= 0; i--)
            best[i] = queue.Dequeue();
        return best;
    }

    /// <summary>The same among some numbers only.</summary>
    public static int[] Best(ReadOnlySpan<float> scores, int count, ReadOnlySpan<int> among)
    {
        var chosen = new float[among.Length];
        for (int i = 0; i < among.Length; i++)
            chosen[i] = scores[among[i]];
        int[] best = Best(chosen, count);
        for (int i = 0; i < best.Length; i++)
            best[i] = among[best[i]];
        return best;
    }

    /// <summary>The place of a number among all in the order of <see cref="Best(ReadOnlySpan{float}, int)"/>; 1 for the highest score.</summary>
    public static int RankOf(ReadOnlySpan<float> scores, int number)
    {
        int before = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (scores[i] > scores[number] || (scores[i] == scores[number] && i < number))
                before++;
        }
        return before + 1;
    }
}

/// <summary>A token at a position of a text, and the probability that the model gives to it there: of its own scores, before processors and
/// temperature.</summary>
/// <param name="TokenId">Its id.</param>
/// <param name="Token">As the vocabulary writes it, such as <c>Ġreturn</c>; empty where there is no tokenizer.</param>
/// <param name="TokenText">As text, such as <c>" return"</c>; U+FFFD where the token is a part of a character, empty where there is no tokenizer.</param>
/// <param name="LogProbability">log p, natural: of a decoder's token after those before it, of a mask's after all others.</param>
[DebuggerDisplay("{DebuggerText,nq}")]
public record TokenProbability(int TokenId, string Token, string TokenText, double LogProbability)
{
    /// <summary>p, 0 … 1.</summary>
    public double Probability => Math.Exp(LogProbability);

    /// <summary>The likeliest tokens at the same position, best first, as many as were asked for.</summary>
    public IReadOnlyList<TokenProbability> Alternatives { get; init; } = [];

    private protected virtual string DebuggerText =>
        string.Create(CultureInfo.InvariantCulture, $"{new TokenView(TokenId, Token.Length == 0 ? null : TokenText)}: {Probability:F4}");

    /// <summary>The likeliest tokens at a position, best first; of equals the lower id. <paramref name="logSum"/> is log Σ exp(logits); without a tokenizer
    /// they have no names.</summary>
    internal static TokenProbability[] Best(ReadOnlySpan<float> logits, double logSum, int count, Tokenizer? tokenizer)
    {
        int[] ids = count == 0 ? [] : Ranking.Best(logits, count);
        var best = new TokenProbability[ids.Length];
        for (int i = 0; i < best.Length; i++)
            best[i] = Of(ids[i], logits[ids[i]] - logSum, tokenizer);
        return best;
    }

    internal static TokenProbability Of(int tokenId, double logProbability, Tokenizer? tokenizer) =>
        new(tokenId, tokenizer?.IdToToken(tokenId) ?? "", tokenizer?.Decode([tokenId]) ?? "", logProbability);
}

/// <summary>Numbers that an answer is made of. NaN compares with nothing, so what is ranked or chosen by it would be an accident.</summary>
internal static class Scores
{
    /// <summary>Each must be a number.</summary>
    /// <param name="scores">Scores, probabilities or the components of a vector.</param>
    /// <param name="what">What they are, such as <c>score of token</c>.</param>
    /// <param name="model">The model that computed them.</param>
    /// <exception cref="CheckpointException">One is NaN.</exception>
    public static void RequireNumbers(ReadOnlySpan<float> scores, string what, IPretrainedModel model)
    {
        for (int i = 0; i < scores.Length; i++)
        {
            if (float.IsNaN(scores[i]))
                throw new CheckpointException($"{model.Architecture}: the {what} {i} is NaN; a number is needed. The weights hold NaN or infinite numbers, " +
                    "or such large ones that they overflow: download the checkpoint or export it again.");
        }
    }

    /// <summary>Each must be a number, and finite: a softmax over infinite scores is none.</summary>
    /// <inheritdoc cref="RequireNumbers" path="/param"/>
    /// <exception cref="CheckpointException">One is NaN or infinite.</exception>
    public static void RequireFinite(ReadOnlySpan<float> scores, string what, IPretrainedModel model)
    {
        RequireNumbers(scores, what, model);
        int infinite = scores.IndexOfAny(float.PositiveInfinity, float.NegativeInfinity);
        if (infinite >= 0)
            throw new CheckpointException($"{model.Architecture}: the {what} {infinite} is {(scores[infinite] > 0 ? "+∞" : "−∞")}; a finite " +
                "number is needed. The weights hold infinite numbers, or such large ones that they overflow: download the checkpoint or export it again.");
    }
}
