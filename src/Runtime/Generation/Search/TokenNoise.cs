namespace ManagedTransformers;

/// <summary>The randomness of one text: a number for each place and token, which depends on the seed and on nothing else.</summary>
/// <remarks>The Gumbel-max trick, as in torch.multinomial: with E an exponential random number for each token, the one with the largest ln p − ln E is token i
/// with probability p_i exactly. As the numbers depend on the position and not on the order of drawing, the same seed gives the same text whatever else is
/// generated at the same time, and a draft that uses them too is accepted more often.</remarks>
internal readonly struct TokenNoise(long seed, int number)
{
    private readonly ulong _key = Mix(Mix((ulong)seed) + (ulong)number);

    /// <summary>The token with the highest score; of equals the first, as torch.argmax on a CPU.</summary>
    public static int Best(ReadOnlySpan<float> scores)
    {
        int best = 0;
        for (int i = 1; i < scores.Length; i++)
        {
            if (scores[i] > scores[best])
                best = i;
        }
        return best;
    }

    /// <summary>Draws a token with the probability softmax(scores).</summary>
    /// <param name="scores">[vocab_size]; −∞: never.</param>
    /// <param name="place">Which new token of the text it is.</param>
    public int Draw(ReadOnlySpan<float> scores, int place)
    {
        ulong key = Mix(_key + (ulong)place);
        (int winner, double best) = (Best(scores), double.NegativeInfinity);
        for (int i = 0; i < scores.Length; i++)
        {
            // −ln E is at most 36.8, E being at least 2⁻⁵³: what lies further behind than that and the best so far cannot win.
            const double Reach = 37.5;
            if (scores[i] + Reach < best || float.IsNegativeInfinity(scores[i]))
                continue;
            double race = scores[i] - Math.Log(Exponential(key, i));
            if (race > best)
                (winner, best) = (i, race);
        }
        return winner;
    }

    /// <summary>The race itself, −∞ where a score is: the best n of it are n draws without replacement.</summary>
    /// <inheritdoc cref="Draw"/>
    public float[] Race(ReadOnlySpan<float> scores, int place)
    {
        ulong key = Mix(_key + (ulong)place);
        var race = new float[scores.Length];
        for (int i = 0; i < scores.Length; i++)
            race[i] = float.IsNegativeInfinity(scores[i]) ? scores[i] : (float)(scores[i] - Math.Log(Exponential(key, i)));
        return race;
    }

    // −ln u of a uniform u between 0 and 1, both excluded
    private static double Exponential(ulong key, int token)
    {
        double u = ((Mix(key + (0x9E3779B97F4A7C15UL * (ulong)(token + 1))) >> 12) + 0.5) * (1.0 / (1UL << 52));
        return -Math.Log(u);
    }

    // Steele et al. 2014, SplitMix64
    private static ulong Mix(ulong z)
    {
        z = (z + 0x9E3779B97F4A7C15UL) ^ ((z + 0x9E3779B97F4A7C15UL) >> 30);
        z *= 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
