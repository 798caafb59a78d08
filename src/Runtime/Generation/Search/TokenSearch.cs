namespace ManagedTransformers;

/// <summary>The generation loop of greedy search and sampling: a pass appends one token to each row, or several where a draft was right. Rows that ended leave
/// the batch and those that wait take their place; padding is never computed.</summary>
/// <remarks>transformers' _sample (do_sample false: greedy) and _assisted_decoding.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(TokenSearchDebugView))]
internal sealed class TokenSearch : IDisposable
{
    private readonly ICausalLM _model;
    private readonly GenerationPlan _plan;
    private readonly Session _session;
    private readonly bool _ownsSession;
    private readonly PromptReader _reader;
    private readonly Drafter? _drafter;
    private readonly Queue<SearchRow> _waiting;
    private readonly List<SearchRow> _active = [];
    private readonly SearchPrompt?[] _held;        // per sequence: the prompt that it begins with
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly int[] _tokens = new int[MatMul.StreamedRows];
    private readonly int[] _lengths = new int[MatMul.StreamedRows];
    private readonly int[] _slots = new int[MatMul.StreamedRows];
    private readonly float[] _scores;
    private FloatTensor? _passScores;                   // of the last pass, for the debugger view; null: a prompt was read last, and _scores has its end's

    /// <summary>Prepares the KV cache; a session that holds the beginning of the one row's prompt is gone on with, and stays the caller's.</summary>
    public TokenSearch(GenerationPlan plan, Session? session = null) : this(plan, plan.NewDrafter(), session)
    {
    }

    /// <summary>The same with a drafter, which is disposed with the search; null: nothing guesses tokens ahead.</summary>
    public TokenSearch(GenerationPlan plan, Drafter? drafter, Session? session)
    {
        (_model, _plan, _drafter, _ownsSession) = (plan.Model, plan, drafter, session is null);
        Rows = plan.NewRows();
        // Long prompts first: the rows that decode together at the end are then the short ones.
        _waiting = new Queue<SearchRow>(Rows.OrderByDescending(row => row.Prompt.Tokens.Length).ThenBy(row => row.Prompt.Index));
        _session = session ?? plan.NewSession(Math.Min(Rows.Count, MatMul.StreamedRows), plan.MaxLength);
        _reader = new PromptReader(_model, _session);
        _held = new SearchPrompt?[_session.Cache!.BatchSize];
        _scores = new float[_model.Config.VocabSize];
        foreach (SearchRow row in Rows)
            Usage.CountPrompt(row.Prompt);
    }

    /// <summary>All rows, those of one prompt side by side.</summary>
    public IReadOnlyList<SearchRow> Rows { get; }

    public GenerationUsage Usage { get; } = new();
    public int Ended => Rows.Count - _active.Count - _waiting.Count;

    /// <summary>Takes over a prompt that another session has read, scores included.</summary>
    public void Begin(Session session, SearchPrompt prompt)
    {
        _session.Cache!.Copy(session.Cache!, 0, 0);
        _held[0] = prompt;
    }

    /// <summary>Reads the prompt of a row that waits and chooses its first token; or, where none waits or all places are taken, goes on with all
    /// rows.</summary>
    /// <returns>False where all had ended already.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the search cannot go on.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public bool MoveNext(CancellationToken cancellationToken)
    {
        if (_active.Count == 0 && _waiting.Count == 0)
            return false;
        cancellationToken.ThrowIfCancellationRequested();
        long start = Stopwatch.GetTimestamp();
        if (_waiting.Count > 0 && _active.Count < _held.Length)
        {
            Admit(_waiting.Dequeue(), cancellationToken);
            Usage.PrefillTime += Stopwatch.GetElapsedTime(start);
        }
        else
        {
            Step(cancellationToken);
            Usage.DecodeTime += Stopwatch.GetElapsedTime(start);
        }
        RemoveEnded();
        return true;
    }

    public void Dispose()
    {
        _drafter?.Dispose();
        if (_ownsSession)
            _session.Dispose();
    }

    private string DebuggerText => $"{Ended} of {Rows.Count} texts ended, {Usage.NewTokens} new tokens";

    internal Session Session => _session;

    /// <summary>The scores that tokens are being chosen from, as processors left them so far, with the likeliest tokens by name; for the debugger
    /// view.</summary>
    internal NextTokenView[] NextTokens()
    {
        if (_active.Count == 0 && _passScores is null && Usage.NewTokens == 0)
            return [];
        if (_passScores is not FloatTensor scores)
            return [new NextTokenView("after the prompt", _plan.Tokenizer, _scores)];
        // While another pass runs, the session uses the tensor for something else.
        return scores.Rank != 2 || scores.Shape[1] != _scores.Length
            ? []
            : [.. Enumerable.Range(0, Math.Min(scores.Shape[0], MatMul.StreamedRows))
                .Select(i => new NextTokenView($"row {i} of the pass", _plan.Tokenizer, scores.Row(i)))];
    }

    private void Admit(SearchRow row, CancellationToken cancellationToken)
    {
        row.Slot = FreeSlot();
        ReadPrompt(row, cancellationToken);
        row.Prompt.Scores!.CopyTo(_scores, 0);
        _passScores = null;
        if (!_waiting.TryPeek(out SearchRow? next) || next.Prompt != row.Prompt)
            row.Prompt.Scores = null;                // of many prompts they would fill the memory
        row.Append(_scores, Stopwatch.GetElapsedTime(_start));
        Usage.NewTokens++;
        _active.Add(row);
    }

    private int FreeSlot()
    {
        for (int slot = 0; ; slot++)
        {
            if (!_active.Exists(row => row.Slot == slot))
                return slot;
        }
    }

    private void ReadPrompt(SearchRow row, CancellationToken cancellationToken)
    {
        (KeyValueCache cache, int slot, SearchPrompt prompt) = (_session.Cache!, row.Slot, row.Prompt);
        int twin = Array.IndexOf(_held, prompt);
        if (twin >= 0 && prompt.Scores is not null)
        {
            // Another text of the same prompt: the cache begins alike.
            cache.Copy(cache, twin, slot);
            cache.Truncate(slot, prompt.Tokens.Length);
            Usage.CachedTokens += prompt.Tokens.Length;
        }
        else
        {
            if (_ownsSession)
                cache.Truncate(slot, 0);
            int held = cache.Length(slot);
            prompt.Scores = _reader.Read(prompt.Tokens.AsSpan(held), slot, cancellationToken).ToArray();
            Usage.CachedTokens += held;
        }
        _held[slot] = prompt;
    }

    // Each row's last token and what is drafted after it go through the model; then tokens are chosen while the draft said the same.
    private void Step(CancellationToken cancellationToken)
    {
        int count = 0, quota = MatMul.StreamedRows / _active.Count;
        for (int i = 0; i < _active.Count; i++)
        {
            SearchRow row = _active[i];
            _tokens[count] = row.Last;
            int drafted = _drafter?.Draft(row, _tokens.AsSpan(count + 1, RoomForDraft(row, quota)), cancellationToken) ?? 0;
            (_lengths[i], _slots[i]) = (1 + drafted, row.Slot);
            count += 1 + drafted;
            Usage.DraftedTokens += drafted;
        }
        FloatTensor scores = _model.Append(
            _tokens.AsSpan(0, count), _lengths.AsSpan(0, _active.Count), _slots.AsSpan(0, _active.Count), _session, ScoresOf.AllTokens);
        _passScores = scores;
        Usage.Passes++;
        int first = 0;
        for (int i = 0; i < _active.Count; i++)
        {
            Accept(_active[i], _tokens.AsSpan(first + 1, _lengths[i] - 1), scores, first);
            first += _lengths[i];
        }
    }

    // A guess would lengthen the pass, and where angles depend on the length, change the scores.
    private int RoomForDraft(SearchRow row, int quota)
    {
        int room = Math.Min(quota, row.Remaining) - 1;
        return _model.Config.Positions.AnglesChangeAfter is int limit ? Math.Clamp(limit - _session.Cache!.Length(row.Slot) - 1, 0, room) : room;
    }

    private void Accept(SearchRow row, ReadOnlySpan<int> draft, FloatTensor scores, int first)
    {
        int agreed = 0;
        try
        {
            for (; ; agreed++)
            {
                Span<float> own = scores.Row(first + agreed);
                Scores.RequireNumbers(own, "score of token", _model);
                int token = row.Append(own, Stopwatch.GetElapsedTime(_start));
                Usage.NewTokens++;
                if (row.FinishReason is not null || agreed == draft.Length || draft[agreed] != token)
                    break;
            }
        }
        finally
        {
            // Also where a processor throws: the session may outlive the search, and must not hold what was only guessed.
            if (agreed < draft.Length)
                _session.Cache!.Truncate(row.Slot, _session.Cache.Length(row.Slot) - (draft.Length - agreed));
        }
        Usage.AcceptedTokens += agreed;
        if (draft.Length > 0)
            _drafter!.Learn(row, draft.Length, agreed);
    }

    private void RemoveEnded()
    {
        for (int i = _active.Count - 1; i >= 0; i--)
        {
            if (_active[i].FinishReason is not null)
                _active.RemoveAt(i);
        }
    }
}

/// <summary>A generation loop as a debugger opens it: its texts, and which tokens the scores make likely.</summary>
internal sealed class TokenSearchDebugView(TokenSearch search)
{
    public SearchRow[] Rows => [.. search.Rows];

    /// <summary>After the last pass: the ten likeliest tokens of each row of scores, as processors left them so far.</summary>
    public NextTokenView[] NextTokens => search.NextTokens();

    public GenerationUsage Usage => search.Usage;
    public Session Session => search.Session;
}
