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
        _text = plan.NewText();
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
