namespace ManagedTransformers.Serving;

/// <summary>Lowers the scores of tokens that came among the last ones, prompt included: divided by <c>repeat</c> (multiplied where it is negative), less
/// <c>frequency</c> for each time and <c>presence</c> once.</summary>
/// <remarks>llama.cpp's sampler "penalties".</remarks>
/// <param name="window">How many last tokens count; −1: all.</param>
/// <param name="repeat">1: nothing.</param>
/// <param name="frequency">0: nothing.</param>
/// <param name="presence">0: nothing.</param>
internal sealed class WindowPenalties(int window, double repeat, double frequency, double presence) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        var counts = new Dictionary<int, int>();
        foreach (int token in window < 0 || window > inputIds.Length ? inputIds : inputIds[^window..])
            counts[token] = counts.GetValueOrDefault(token) + 1;
        foreach ((int token, int count) in counts)
        {
            double score = scores[token] > 0 ? scores[token] / repeat : scores[token] * repeat;
            scores[token] = (float)(score - (frequency * count) - presence);
        }
    }
}

/// <summary>Leaves the best token alone, of equals the first: temperature 0, wherever it stands among the samplers.</summary>
internal sealed class OnlyBest : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        int best = 0;
        for (int i = 1; i < scores.Length; i++)
        {
            if (scores[i] > scores[best])
                best = i;
        }
        float score = scores[best];
        scores.Fill(float.NegativeInfinity);
        scores[best] = score;
    }
}

/// <summary>What keeps an infill short: it ends where ending is likely enough, and goes on only with what is likely.</summary>
/// <remarks>llama.cpp's sampler "infill", for use after top_k and top_p. With n tokens left: (1) where 3 n p(end) > p(others), it ends; (2) of two tokens, one
/// of which begins like the other, the likelier one counts for both; (3) tokens below 0.2, and then below 1 / (those left + 1) of what is left, go, but for
/// end tokens; (4) where nothing is left, it ends.</remarks>
/// <param name="ends">The tokens that end a text.</param>
/// <param name="tokenizer">Names tokens.</param>
internal sealed class InfillSampler(IReadOnlyList<int> ends, Tokenizer tokenizer) : LogitsProcessor
{
    // The likeliest ones alone are merged: of the others none has 0.2, and their number has no limit where top_k is not used.
    private const int MostMerged = 200;
    private const double Least = 0.2;

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        double[] p = Probabilities(scores);
        int[] all = [.. Enumerable.Range(0, p.Length).Where(token => p[token] > 0)];
        double ending = all.Where(ends.Contains).Sum(token => p[token]);
        if (3 * ending * all.Length > 1 - ending)
        {
            KeepOnly(scores, token => ends.Contains(token));
            return;
        }
        int[] merged = Merge([.. all.OrderByDescending(token => p[token]).Take(MostMerged)], p);
        int[] likely = [.. merged.Where(token => p[token] >= Least && !ends.Contains(token))];
        if (likely.Length == 0)
        {
            int end = ends.FirstOrDefault(token => (uint)token < (uint)p.Length, -1);
            if (end >= 0)
                scores[end] = 0;
            KeepOnly(scores, token => end < 0 || token == end);
            return;
        }
        double left = likely.Sum(token => p[token]) + ending;
        KeepOnly(scores, token => ends.Contains(token) || (likely.Contains(token) && p[token] / left >= 1.0 / (likely.Length + 1)));
    }

    private static double[] Probabilities(ReadOnlySpan<float> scores)
    {
        var p = new double[scores.Length];
        float highest = float.NegativeInfinity;
        foreach (float score in scores)
            highest = Math.Max(highest, score);
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
            sum += p[i] = Math.Exp(scores[i] - highest);
        for (int i = 0; i < p.Length; i++)
            p[i] /= sum;
        return p;
    }

    // Best first; the probability of a token that is merged goes to the other one.
    private int[] Merge(int[] tokens, double[] p)
    {
        string[] names = [.. tokens.Select(token => tokenizer.IdToToken(token) ?? "")];
        for (int i = 0; i < tokens.Length; i++)
        {
            for (int k = 0; k < tokens.Length && p[tokens[i]] > 0; k++)
            {
                if (i == k || p[tokens[k]] == 0 || names[i].Length >= names[k].Length || !names[k].StartsWith(names[i], StringComparison.Ordinal))
                    continue;
                (int to, int from) = p[tokens[k]] > p[tokens[i]] ? (tokens[k], tokens[i]) : (tokens[i], tokens[k]);
                p[to] += p[from];
                p[from] = 0;
            }
        }
        return [.. tokens.Where(token => p[token] > 0)];
    }

    private static void KeepOnly(Span<float> scores, Func<int, bool> keep)
    {
        for (int i = 0; i < scores.Length; i++)
        {
            if (!float.IsNegativeInfinity(scores[i]) && !keep(i))
                scores[i] = float.NegativeInfinity;
        }
    }
}

/// <summary>Ends a text where a line of it, but for the first, is indented less than asked: before its first character.</summary>
/// <param name="least">Spaces and tabs at the beginning of a line.</param>
internal sealed class IndentCriterion(int least) : StoppingCriterion
{
    public override bool IsMet(GenerationState state) => End(state.Text, least) >= 0;

    /// <summary>Where the text ends; −1: it goes on.</summary>
    public static int End(ReadOnlySpan<char> text, int least)
    {
        for (int line = text.IndexOf('\n') + 1; line > 0;)
        {
            ReadOnlySpan<char> rest = text[line..];
            int indent = rest.IndexOfAnyExcept(' ', '\t');
            if (indent >= 0 && indent < least)
                return line + indent;
            int next = rest.IndexOf('\n');
            line = next < 0 ? 0 : line + next + 1;
        }
        return -1;
    }
}

/// <summary>Ends a text at a line's end after some time since its first token.</summary>
/// <param name="tokenizer">Says which tokens have a line's end.</param>
/// <param name="most">The time.</param>
internal sealed class LineTimeCriterion(Tokenizer tokenizer, TimeSpan most) : StoppingCriterion
{
    // Of one prompt, whose texts begin together.
    private long _first;

    public override bool IsMet(GenerationState state)
    {
        Interlocked.CompareExchange(ref _first, Stopwatch.GetTimestamp(), 0);
        return Stopwatch.GetElapsedTime(Interlocked.Read(ref _first)) > most
            && tokenizer.Decode([state.InputIds[^1]]).Contains('\n', StringComparison.Ordinal);
    }
}
