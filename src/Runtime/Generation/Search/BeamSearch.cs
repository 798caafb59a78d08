namespace ManagedTransformers;


/// <summary>Beam search and beam sampling for one prompt: the num_beams most probable texts go on, step by step.</summary>
/// <remarks>transformers' _beam_search with BeamSearchScorer. Prompts do not influence each other, so a batch is one search after the other.</remarks>
[DebuggerDisplay("{_beams} beams with {_length} new tokens")]
[DebuggerTypeProxy(typeof(BeamSearchDebugView))]
internal sealed class BeamSearch : IDisposable
{
    // What transformers gives to all beams but the first one, so that the first step takes different tokens and not one token several times.
    private const float Impossible = -1e9f;

    private readonly ICausalLM _model;
    private readonly SearchPrompt _prompt;
    private readonly GenerationPlan _plan;
    private readonly Session _session;
    private readonly int _beams, _vocabSize, _candidates;
    private readonly BeamHypotheses _found;
    private readonly LogitsProcessor[] _processors;
    private readonly StoppingCriterion[] _criteria;
    private readonly GeneratedText?[] _texts;
    private readonly float[] _scores;        // [beams, vocab_size]: log probabilities of each beam with each token
    private readonly float[] _sums;          // [beams]: log probability of each beam
    private int[][] _ids;                    // [beams]: prompt and new tokens, with room for all
    private readonly FinishReason?[] _reasons;  // [beams]: why each of them ends here
    private readonly long _start;
    private int _length;                     // new tokens of each beam
    private bool _done;

    /// <summary>Begins a search. The call may have begun before this prompt was its turn: <paramref name="start"/> is a Stopwatch's timestamp. A session that
    /// has read the prompt already is the <paramref name="beginning"/>.</summary>
    public BeamSearch(SearchPrompt prompt, GenerationPlan plan, long start, Session? beginning = null)
    {
        (_model, _prompt, _plan, _start, _beams, _vocabSize) = (plan.Model, prompt, plan, start, plan.Beams, plan.Model.Config.VocabSize);
        GenerationOptions options = plan.Options;
        _candidates = Math.Min(Math.Max(2, 1 + plan.EosTokenId.Count) * _beams, _beams * _vocabSize);
        _found = new BeamHypotheses(_beams, options.LengthPenalty ?? 1, options.EarlyStopping ?? EarlyStopping.False, plan.MaxNewTokens);
        _processors = plan.ProcessorsFor(prompt.InputIds.Length);
        // An end token ends a hypothesis, not the search.
        _criteria = [.. plan.CriteriaFor(prompt.InputIds.Length).Where(one => one is not EosTokenCriteria)];
        _texts = [.. Enumerable.Range(0, _beams).Select(_ => plan.NewText(prompt))];
        _scores = new float[_beams * _vocabSize];
        _sums = new float[_beams];
        _reasons = new FinishReason?[_beams];
        _ids = [.. Enumerable.Range(0, _beams).Select(_ => new int[prompt.InputIds.Length + plan.MaxNewTokens])];
        foreach (int[] ids in _ids)
            prompt.InputIds.CopyTo(ids, 0);
        _session = plan.NewSession(_beams, prompt.Tokens.Length + plan.MaxNewTokens);
        Usage.CountPrompt(prompt);
        if (beginning is null)
            return;
        _session.Cache!.Copy(beginning.Cache!, 0, 0);
        Usage.CachedTokens = prompt.Tokens.Length;
    }

    public GenerationUsage Usage { get; } = new();

    /// <summary>Gives each beam one more token.</summary>
    /// <returns>False where the search had ended already.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; the search cannot go on.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public bool MoveNext(CancellationToken cancellationToken)
    {
        if (_done)
            return false;
        cancellationToken.ThrowIfCancellationRequested();
        long start = Stopwatch.GetTimestamp();
        if (_length == 0)
        {
            ReadPrompt(cancellationToken);
            Usage.PrefillTime += Stopwatch.GetElapsedTime(start);
        }
        else
        {
            ReadLastTokens();
            Usage.DecodeTime += Stopwatch.GetElapsedTime(start);
        }
        for (int beam = 0; beam < _beams; beam++)
            Score(beam);
        Select();
        return true;
    }

    /// <summary>The best texts, best first, as many as were asked for.</summary>
    public IEnumerable<BeamHypothesis> Results => _found.Best.Take(_plan.Sequences);

    public void Dispose() => _session.Dispose();

    private Span<float> ScoresOfBeam(int beam) => _scores.AsSpan(beam * _vocabSize, _vocabSize);

    private ReadOnlySpan<int> IdsOfBeam(int beam) => _ids[beam].AsSpan(0, _prompt.InputIds.Length + _length);

    private void ReadPrompt(CancellationToken cancellationToken)
    {
        float[] first = _prompt.Scores ??= new PromptReader(_model, _session).Read(_prompt.Tokens, sequence: 0, cancellationToken).ToArray();
        for (int beam = 0; beam < _beams; beam++)
        {
            first.CopyTo(ScoresOfBeam(beam));
            _session.Cache!.Copy(_session.Cache, 0, beam);
            _sums[beam] = beam == 0 ? 0 : Impossible;
        }
    }

    private void ReadLastTokens()
    {
        Span<int> tokens = stackalloc int[MatMul.MaxStreamedRows], sequences = stackalloc int[MatMul.MaxStreamedRows];
        for (int start = 0; start < _beams; start += MatMul.MaxStreamedRows)
        {
            int rows = Math.Min(MatMul.MaxStreamedRows, _beams - start);
            for (int i = 0; i < rows; i++)
                (tokens[i], sequences[i]) = (IdsOfBeam(start + i)[^1], start + i);
            _model.Step(tokens[..rows], sequences[..rows], _session).Span.CopyTo(_scores.AsSpan(start * _vocabSize));
            Usage.Passes++;
        }
    }

    // Scores become log probabilities, processed, plus that of the beam; in float32, as the reference adds them.
    private void Score(int beam)
    {
        Span<float> scores = ScoresOfBeam(beam);
        Scores.RequireNumbers(scores, "score of token", _model);
        float logSum = (float)Softmax.LogSumExp(scores, _session.Kernels);
        if (!float.IsFinite(logSum))
            Scores.RequireFinite(scores, "score of token", _model);
        foreach (ref float score in scores)
            score -= logSum;
        LogitsProcessors.Process(_processors, IdsOfBeam(beam), scores);
        foreach (ref float score in scores)
            score += _sums[beam];
    }

    private void Select()
    {
        int[] candidates = _plan.NoiseFor(0) is TokenNoise noise ? Draw(noise) : Ranking.Best(_scores, _candidates);
        float best = _scores[candidates[0]];
        Span<int> parents = stackalloc int[_beams], tokens = stackalloc int[_beams];
        Span<float> sums = stackalloc float[_beams];
        int kept = 0;
        for (int rank = 0; rank < candidates.Length && kept < _beams; rank++)
        {
            (int beam, int token) = Math.DivRem(candidates[rank], _vocabSize);
            if (!_plan.EosTokenId.Contains(token))
                (parents[kept], tokens[kept], sums[kept++]) = (beam, token, _scores[candidates[rank]]);
            else if (rank < _beams)                                  // an end token below the best num_beams does not count
                _found.Add(IdsOfBeam(beam)[_prompt.InputIds.Length..], _scores[candidates[rank]], _length + 1, FinishReason.EndToken);
        }
        _length++;
        if (kept < _beams)
            throw new ModelInputException($"Only {kept} of {_beams} beams can go on: the vocabulary has {_vocabSize} tokens, " +
                $"{_plan.EosTokenId.Count} of them end tokens. Lower NumBeams.");
        Follow(parents, tokens, sums);
        _done = _found.IsDone(best, _length);
        if (!_done && AllEnded())
        {
            _done = true;
            for (int beam = 0; beam < _beams; beam++)
                _found.Add(IdsOfBeam(beam)[_prompt.InputIds.Length..], _sums[beam], _length, _reasons[beam]!.Value);
        }
    }

    /// <summary>Candidates without replacement, with the probability of softmax over all beams and tokens; best first.</summary>
    private int[] Draw(TokenNoise noise)
    {
        float[] race = noise.Race(_scores, _length);
        return [.. Ranking.Best(race, _candidates).OrderByDescending(i => _scores[i])];
    }

    private void Follow(ReadOnlySpan<int> parents, ReadOnlySpan<int> tokens, ReadOnlySpan<float> sums)
    {
        _session.Cache!.Reorder(parents);
        int[][] ids = [.. parents.ToArray().Select(parent => (int[])_ids[parent].Clone())];
        for (int beam = 0; beam < _beams; beam++)
            ids[beam][_prompt.InputIds.Length + _length - 1] = tokens[beam];
        _ids = ids;
        sums.CopyTo(_sums);
    }

    // Where each beam meets some criterion, the search ends.
    private bool AllEnded()
    {
        for (int beam = 0; beam < _beams; beam++)
        {
            var state = new GenerationState(IdsOfBeam(beam), _prompt.InputIds.Length, Stopwatch.GetElapsedTime(_start), _texts[beam]);
            _reasons[beam] = SearchRow.ReasonToEnd(_criteria, state);
            if (_reasons[beam] is null)
                return false;
        }
        return true;
    }

    private sealed class BeamSearchDebugView(BeamSearch search)
    {
        /// <summary>The sum of log probabilities and the new tokens of each beam.</summary>
        public string[] Beams => [.. Enumerable.Range(0, search._beams).Select(Describe)];

        public BeamHypothesis[] Found => [.. search._found.Best];
        public GenerationUsage Usage => search.Usage;
        public Session Session => search._session;

        private string Describe(int beam)
        {
            int[] tokens = search._ids[beam][search._prompt.InputIds.Length..][..search._length];
            string text = search._plan.Tokenizer is { } tokenizer ? TokenView.Quote(tokenizer.Decode(tokens)) : string.Join(" ", tokens);
            return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{search._sums[beam]:F3}: {text}");
        }
    }
}

/// <summary>A text that a beam found, and what it is worth.</summary>
/// <param name="Tokens">The new tokens, without an end token.</param>
/// <param name="Score">The sum of their log probabilities over their number to the power of the length penalty.</param>
/// <param name="FinishReason">Why it ended.</param>
[DebuggerDisplay("{Tokens.Length} tokens, score {Score}, {FinishReason}")]
internal sealed record BeamHypothesis(int[] Tokens, double Score, FinishReason FinishReason);

/// <summary>The best texts that a beam search has found so far, as many as there are beams.</summary>
/// <remarks>transformers' BeamHypotheses.</remarks>
internal sealed class BeamHypotheses(int beams, double lengthPenalty, EarlyStopping earlyStopping, int maxNewTokens)
{
    private readonly List<BeamHypothesis> _kept = [];

    /// <summary>Best first; of equals the one found later.</summary>
    public IEnumerable<BeamHypothesis> Best => Enumerable.Reverse(_kept).OrderByDescending(one => one.Score);

    /// <summary>Takes a text where it is among the best.</summary>
    /// <param name="tokens">Its new tokens, without an end token.</param>
    /// <param name="sum">The sum of the log probabilities, that of the end token included.</param>
    /// <param name="length">How many they were.</param>
    /// <param name="reason">Why it ended.</param>
    public void Add(ReadOnlySpan<int> tokens, double sum, int length, FinishReason reason)
    {
        double score = sum / Math.Pow(length, lengthPenalty);
        if (_kept.Count == beams && score <= _kept.Min(one => one.Score))
            return;
        _kept.Add(new BeamHypothesis(tokens.ToArray(), score, reason));
        if (_kept.Count > beams)
            _kept.Remove(_kept.MinBy(one => one.Score)!);
    }

    /// <summary>Whether no beam that goes on is expected to become better than what was found.</summary>
    /// <param name="bestSum">The highest sum of log probabilities of a beam.</param>
    /// <param name="length">New tokens of the beams.</param>
    public bool IsDone(double bestSum, int length)
    {
        if (_kept.Count < beams)
            return false;
        if (earlyStopping == EarlyStopping.True)
            return true;
        // Never: what could be reached at all. With a penalty above 0 that is at full length.
        int compared = earlyStopping == EarlyStopping.Never && lengthPenalty > 0 ? maxNewTokens : length;
        return _kept.Min(one => one.Score) >= bestSum / Math.Pow(compared, lengthPenalty);
    }
}
