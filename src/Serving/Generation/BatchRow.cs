namespace ManagedTransformers.Serving;

/// <summary>A place of a running batch: a prompt that is being read, then its text.</summary>
internal sealed class BatchRow(EngineRequest request, EngineText? text, int slot, bool deterministic)
{
    private readonly int[] _prompt = request.Prompt.Tokens;
    private int _readBefore;                       // what was computed for it, so that it takes nothing over any more

    public EngineRequest Request => request;

    /// <summary>What is generated; null: the prompt is only read.</summary>
    public EngineText? Text => text;

    /// <summary>The sequence of the KV cache that holds it.</summary>
    public int Slot => slot;

    /// <summary>The prompt.</summary>
    public int[] Tokens => _prompt;

    /// <summary>What it may share: the prompt, and where bits need not be the same whatever runs, also what followed it.</summary>
    public int[] AllTokens => deterministic || text is null || text.Row.Generated.IsEmpty ? _prompt : [.. _prompt, .. text.Row.Generated];

    /// <summary>Tokens of the prompt that the cache holds.</summary>
    public int Read { get; private set; }

    /// <summary>What it took so far; of a prompt that is only read, the request's own.</summary>
    public GenerationUsage Usage => text?.Usage ?? request.Usage;

    /// <summary>The most tokens that it can come to have.</summary>
    public int MostTokens => _prompt.Length + (request.Plan?.MaxNewTokens ?? 0);

    /// <summary>Tokens that were generated.</summary>
    public int Generated => text?.Row.Generated.Length ?? 0;

    public bool IsDecoding => text is not null && !text.Row.Generated.IsEmpty;

    public bool IsOver => request.IsOver || text?.Row.FinishReason is not null;

    /// <summary>Whether it may share what it reads with whatever comes.</summary>
    public bool MayShare => request.Request.CachePrompt && !WantsProbabilities;

    public bool MayShareWith(BatchRow other) => other != this && ((MayShare && other.MayShare) || (request == other.Request && !WantsProbabilities));

    /// <summary>Whether something was computed for it.</summary>
    public bool HasBegun => _readBefore > 0;

    /// <summary>Whether the prompt's log probabilities are still to be computed.</summary>
    public bool WantsProbabilities { get; private set; } = request.Request.PromptLogProbabilities is not null;

    /// <summary>How many of its tokens another text may take over.</summary>
    public int Shareable => deterministic ? Math.Min(Read, PromptParts.Reusable(_prompt.Length)) : Read + Math.Max(0, (text?.Row.Generated.Length ?? 0) - 1);

    /// <summary>Where to go on, of this many tokens in common with another text.</summary>
    public int StartAfter(int common) => deterministic ? PromptParts.Start(_prompt.Length, common) : Math.Min(common, _prompt.Length - 1);

    /// <summary>The end of the next part.</summary>
    public int EndOfPart(int tokens) =>
        deterministic ? PromptParts.End(_prompt.Length, Read, tokens) : Math.Min(_prompt.Length, Read + tokens);

    /// <summary>Whether an earlier row will have read more of the same beginning than this one has.</summary>
    public bool WaitsFor(BatchRow earlier)
    {
        if (!MayShareWith(earlier) || HasBegun)
            return false;
        int common = _prompt.AsSpan().CommonPrefixLength(earlier._prompt);
        common = deterministic ? Math.Min(common, PromptParts.Reusable(earlier._prompt.Length)) : common;
        return StartAfter(common) > Math.Max(Read, StartAfter(Math.Min(common, earlier.Shareable)));
    }

    public void TakenOver(int tokens)
    {
        (Read, Usage.CachedTokens) = (tokens, tokens);
    }

    public void Advance(int end)
    {
        _readBefore += end - Read;
        Read = end;
    }

    public void GoBackTo(int place) => Read = place;

    /// <summary>Notes what the model gave to the tokens that follow those that were just read.</summary>
    /// <param name="scores">[tokens, vocab_size] after the tokens from <see cref="Read"/> on.</param>
    /// <param name="kernels">Of the session.</param>
    public void NoteProbabilities(FloatTensor scores, KernelOptions kernels)
    {
        List<TokenProbability?> found = _probabilities;
        if (found.Count == 0)
            found.Add(null);
        for (int i = 0; i < scores.Shape[0] && Read + i + 1 < _prompt.Length; i++)
        {
            ReadOnlySpan<float> own = scores.Row(i);
            (int token, double logSum) = (_prompt[Read + i + 1], Softmax.LogSumExp(own, kernels));
            Tokenizer tokenizer = request.Tokenizer;
            found.Add(TokenProbability.Of(token, own[token] - logSum, tokenizer) with
            {
                Alternatives = TokenProbability.Best(own, logSum, request.Request.PromptLogProbabilities!.Value, tokenizer),
            });
        }
        if (found.Count == _prompt.Length)
            request.PromptProbabilities = found;
    }

    public void HasProbabilities() => WantsProbabilities = false;

    private readonly List<TokenProbability?> _probabilities = [];
}
