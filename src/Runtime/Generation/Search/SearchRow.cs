namespace ManagedTransformers;


/// <summary>One text while it is generated.</summary>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(SearchRowDebugView))]
internal sealed class SearchRow
{
    private readonly GenerationPlan _plan;
    private readonly int[] _inputIds;
    private readonly List<TokenProbability>? _logProbabilities;
    private readonly LogitsProcessor[] _processors;
    private readonly StoppingCriterion[] _criteria;
    private readonly TokenNoise? _noise;
    private readonly GeneratedText? _text;
    private int _length;

    public SearchRow(SearchPrompt prompt, GenerationPlan plan, int number)
    {
        Prompt = prompt;
        _plan = plan;
        Number = number;
        _inputIds = new int[prompt.InputIds.Length + plan.MaxNewTokens];
        prompt.InputIds.CopyTo(_inputIds, 0);
        _length = prompt.InputIds.Length;
        _processors = plan.ProcessorsFor(prompt.InputIds.Length);
        _criteria = plan.CriteriaFor(prompt.InputIds.Length);
        _noise = plan.NoiseFor(number);
        _text = plan.NewText(prompt);
        _logProbabilities = plan.Options.TopLogProbabilities is null ? null : new List<TokenProbability>(plan.MaxNewTokens);
    }

    public SearchPrompt Prompt { get; }

    /// <summary>For debugger views; null where there is none.</summary>
    internal Tokenizer? Tokenizer => _plan.Tokenizer;

    /// <summary>Which of the prompt's texts it is, 0 … num_return_sequences − 1.</summary>
    public int Number { get; }

    /// <summary>The sequence of the KV cache that holds it.</summary>
    public int Slot { get; set; }

    /// <summary>Why it ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>Prompt and new tokens, as processors see them.</summary>
    public ReadOnlySpan<int> InputIds => _inputIds.AsSpan(0, _length);

    public ReadOnlySpan<int> Generated => _inputIds.AsSpan(Prompt.InputIds.Length, _length - Prompt.InputIds.Length);

    /// <summary>The token that was chosen last, which the model has not read yet.</summary>
    public int Last => _inputIds[_length - 1];

    /// <summary>New tokens that there is room for.</summary>
    public int Remaining => _inputIds.Length - _length;

    /// <summary>What the model gave to each new token; null where nobody asked.</summary>
    public IReadOnlyList<TokenProbability>? LogProbabilities => _logProbabilities;

    /// <summary>Chooses the token that follows <paramref name="inputIds"/>; for the row itself, or for a draft of what it might say.</summary>
    /// <param name="inputIds">All tokens before it.</param>
    /// <param name="scores">The scores, which processors change.</param>
    public int Choose(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        LogitsProcessors.Process(_processors, inputIds, scores);
        return _noise is TokenNoise noise ? noise.Draw(scores, inputIds.Length - Prompt.InputIds.Length) : TokenNoise.Best(scores);
    }

    /// <summary>Chooses the next token and appends it.</summary>
    /// <param name="scores">The model's scores, which processors change.</param>
    /// <param name="elapsed">Time since the generation began.</param>
    public int Append(Span<float> scores, TimeSpan elapsed)
    {
        int token;
        if (_logProbabilities is null)
        {
            token = Choose(InputIds, scores);
        }
        else
        {
            // Of the model's own scores: processors change them.
            double logSum = Softmax.LogSumExp(scores, _plan.Kernels);
            float[] own = scores.ToArray();
            token = Choose(InputIds, scores);
            _logProbabilities.Add(TokenProbability.Of(token, own[token] - logSum, Tokenizer) with
            {
                Alternatives = TokenProbability.Best(own, logSum, _plan.Options.TopLogProbabilities!.Value, Tokenizer),
            });
        }
        _inputIds[_length++] = token;
        var state = new GenerationState(InputIds, Prompt.InputIds.Length, elapsed, _text);
        FinishReason = ReasonToEnd(_criteria, state);
        return token;
    }

    /// <summary>Why a text ends here; null where it goes on.</summary>
    public static FinishReason? ReasonToEnd(StoppingCriterion[] criteria, GenerationState state)
    {
        foreach (StoppingCriterion criterion in criteria)
        {
            if (criterion.IsMet(state))
                return criterion.Reason;
        }
        return null;
    }

    private string DebuggerText => $"prompt {Prompt.Index}, text {Number}: {Prompt.InputIds.Length} + {Generated.Length} tokens, "
        + $"{(FinishReason is null ? "goes on" : $"ended by {FinishReason}")}"
        + (Tokenizer is null ? "" : $": {TokenView.Quote(Tokenizer.Decode(Generated))}");
}

/// <summary>A text that is generated, as a debugger opens it: its tokens by name.</summary>
internal sealed class SearchRowDebugView(SearchRow row)
{
    public TokenView[] Prompt => TokenView.Of(row.Tokenizer, row.Prompt.InputIds);
    public TokenView[] Generated => TokenView.Of(row.Tokenizer, row.Generated);
    public string? Text => row.Tokenizer?.Decode(row.InputIds);
    public FinishReason? FinishReason => row.FinishReason;

    /// <summary>The sequence of the KV cache that holds it.</summary>
    public int Slot => row.Slot;

    public IReadOnlyList<TokenProbability>? LogProbabilities => row.LogProbabilities;
}

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
