namespace ManagedTransformers.Serving;

/// <summary>The texts that an engine runs together: each reads its prompt in parts, then gets a token in every step. One thread.</summary>
internal sealed class RunningBatch : IDisposable
{
    private const int CachedTexts = 64;

    private readonly ICausalLM _model;
    private readonly GenerationEngineOptions _options;
    private readonly Session _session;
    private readonly KeyValueCache _cache;
    private readonly PrefixCache _prefixes;
    private readonly List<BatchRow> _rows = [];                // in the order of their coming
    private readonly int[] _tokens, _lengths, _slots;
    private readonly FloatTensor _scores;                      // of a prompt that was read before
    private readonly long _limit;
    private int[][]? _held;
    private int _heldVersion, _turn;

    public RunningBatch(TextGenerator generator, GenerationEngineOptions options)
    {
        (_model, _options) = (generator.CausalLM, options);
        _session = _model.CreateSession(new SessionOptions
        {
            BatchSize = options.MaxRows + CachedTexts, MaxLength = _model.Config.MaxTokens,
            KeyValueType = options.KeyValueType ?? generator.Defaults.KeyValueType ?? WeightType.F32,
        });
        _cache = _session.Cache!;
        _prefixes = new PrefixCache(_cache, options.MaxRows);
        _limit = options.CacheBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;
        _scores = new FloatTensor("scores", 1, _model.Config.VocabSize);
        int most = Math.Max(MatMul.StreamedRows, options.MaxRows);
        (_tokens, _lengths, _slots) = (new int[most], new int[most], new int[most]);
    }

    public IReadOnlyList<BatchRow> Rows => _rows;
    public WeightType KeyValueType => _cache.Type;
    public long CacheBytes => _cache.BytesInUse;
    public long CacheLimit => _limit;
    public int CachedPrompts => _prefixes.Count;

    /// <summary>Prompts whose keys and values are here, the most recently used last, and then those that run. Another list where they have changed.</summary>
    public IReadOnlyList<int[]> HeldPrompts
    {
        get
        {
            if (_held is null || _heldVersion != _prefixes.Version)
                (_held, _heldVersion) = ([.. _prefixes.Prompts, .. _rows.Where(row => row.MayShare).Select(row => row.Tokens)], _prefixes.Version);
            return _held;
        }
    }

    public long Passes { get; private set; }
    public long RowsOfPasses { get; private set; }
    public TimeSpan PrefillTime { get; private set; }
    public TimeSpan DecodeTime { get; private set; }

    /// <summary>The bytes that a text may come to need, all its tokens counted.</summary>
    public long BytesFor(int tokens) => _cache.BytesFor(tokens);

    /// <summary>Whether there is room for one more row of this many tokens.</summary>
    public bool HasRoom(int tokens) =>
        _rows.Count < _options.MaxRows && (_rows.Count == 0 || _rows.Sum(row => BytesFor(row.MostTokens)) + BytesFor(tokens) <= _limit);

    /// <summary>Takes a row in; what is known of its prompt need not be read again.</summary>
    public void Add(EngineRequest request, EngineText? text)
    {
        int slot = Enumerable.Range(0, _options.MaxRows).First(place => !_rows.Exists(row => row.Slot == place));
        _cache.Truncate(slot, 0);
        _rows.Add(new BatchRow(request, text, slot, _options.Deterministic));
        _held = null;
        if (text is not null)
            text.Row.Slot = slot;
    }

    /// <summary>Reads a part of a prompt, where one waits to be read, and gives every other text a token.</summary>
    public void Step()
    {
        RemoveOver();
        bool decodes = _rows.Exists(row => row.IsDecoding);
        if (NextReader() is BatchRow reader)
            Guard(reader, () => ReadPart(reader, decodes ? _options.PromptTokensPerStep : PromptReader.PartTokens));
        // A text may have ended with the token that reading its prompt gave.
        BatchRow[] decoding = [.. _rows.Where(row => row.IsDecoding && !row.IsOver)];
        foreach (BatchRow[] group in decoding.Chunk(_options.Deterministic ? MatMul.MaxStreamedRows : _tokens.Length))
            Decode(group);
        RemoveOver();
    }

    /// <summary>Fails all that run.</summary>
    public void Fail(Exception error)
    {
        foreach (BatchRow row in _rows)
            row.Request.Complete(error);
        RemoveOver();
    }

    public void Dispose() => _session.Dispose();

    // Rows take turns, but one whose prompt begins like that of an earlier row waits until that row has read what they share.
    private BatchRow? NextReader()
    {
        BatchRow[] reading = [.. _rows.Where(row => !row.IsDecoding)];
        for (int i = 0; i < reading.Length; i++)
        {
            BatchRow row = reading[(_turn + i) % reading.Length];
            if (TakeOver(row))
                continue;
            if (reading.TakeWhile(other => other != row).Any(other => row.WaitsFor(other)))
                continue;
            _turn = ((_turn + i) % reading.Length) + 1;
            return row;
        }
        return null;
    }

    // What another text has read of the same beginning is shared, not computed again. True: all of it, so that the text has its first token.
    private bool TakeOver(BatchRow row)
    {
        if (row.HasBegun)
            return false;
        if (row.Request.Prompt.Scores is float[] scores && _rows.Find(other => other.Request == row.Request && other.IsDecoding) is BatchRow twin)
        {
            Share(twin.Slot, row, row.Tokens.Length);
            scores.CopyTo(_scores.Span);
            Guard(row, () => Accept(row, _scores, 0, []));
            return true;
        }
        (int from, int common) = row.MayShare ? _prefixes.Find(row.Tokens) : (-1, 0);
        foreach (BatchRow other in _rows.Where(row.MayShareWith))
        {
            int shared = Math.Min(row.Tokens.AsSpan().CommonPrefixLength(other.AllTokens), other.Shareable);
            if (shared > common)
                (from, common) = (other.Slot, shared);
        }
        int held = row.StartAfter(common);
        if (from >= 0 && held > row.Read)
            Share(from, row, held);
        return false;
    }

    private void Share(int from, BatchRow row, int tokens)
    {
        _cache.Copy(_cache, from, row.Slot);
        _cache.Truncate(row.Slot, tokens);
        row.TakenOver(tokens);
    }

    private void ReadPart(BatchRow row, int tokens)
    {
        long start = Stopwatch.GetTimestamp();
        row.Request.BeginsReading(row.Read);
        int end = row.EndOfPart(tokens);
        MakeRoom(BytesFor(end - row.Read));
        ScoresOf wanted = row.WantsProbabilities ? ScoresOf.AllTokens : end == row.Tokens.Length ? ScoresOf.LastTokens : ScoresOf.None;
        FloatTensor scores = _model.Append(row.Tokens.AsSpan(row.Read, end - row.Read), [end - row.Read], [row.Slot], _session, wanted);
        if (row.WantsProbabilities)
            row.NoteProbabilities(scores, _session.Kernels);
        row.Advance(end);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        PrefillTime += time;
        row.Usage.PrefillTime += time;
        if (row.Read < row.Tokens.Length)
            return;
        if (row.Text is null)
            EndPromptOnly(row);
        else if (wanted == ScoresOf.AllTokens)
            ReadAgain(row);
        else
        {
            if (row.Request.Texts.Length > 1)
                row.Request.Prompt.Scores = scores.Row(0).ToArray();
            Accept(row, scores, 0, []);
        }
    }

    // The head gives other last bits to many rows than to one: the last part is read again, for the scores after it alone.
    private void ReadAgain(BatchRow row)
    {
        row.HasProbabilities();
        int start = PromptParts.Start(row.Tokens.Length, row.Tokens.Length);
        _cache.Truncate(row.Slot, start);
        row.GoBackTo(start);
    }

    private void EndPromptOnly(BatchRow row)
    {
        row.Usage.CountPrompt(row.Request.Prompt);
        row.Request.Give(new GenerationUpdate(0, new TextPiece("", []) { FinishReason = FinishReason.Length, Usage = row.Usage }));
        row.Request.Remaining = 0;
        row.Request.Complete();
    }

    private void Decode(BatchRow[] group)
    {
        long start = Stopwatch.GetTimestamp();
        int count = 0, quota = Math.Max(1, MatMul.StreamedRows / group.Length);
        MakeRoom(group.Length * BytesFor(quota));
        for (int i = 0; i < group.Length; i++)
        {
            BatchRow row = group[i];
            _tokens[count] = row.Text!.Row.Last;
            int drafted = 0;
            Guard(row, () => drafted = row.Text.Draft(_tokens.AsSpan(count + 1, Math.Min(quota, row.Text.Row.Remaining) - 1)));
            (_lengths[i], _slots[i]) = (1 + drafted, row.Slot);
            count += 1 + drafted;
        }
        FloatTensor scores = _model.Append(
            _tokens.AsSpan(0, count), _lengths.AsSpan(0, group.Length), _slots.AsSpan(0, group.Length), _session, ScoresOf.AllTokens);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        DecodeTime += time;
        Passes++;
        RowsOfPasses += group.Length;
        int first = 0;
        for (int i = 0; i < group.Length; i++)
        {
            (BatchRow row, int at, int length) = (group[i], first, _lengths[i]);
            row.Text!.CountPass(time);
            Guard(row, () => Accept(row, scores, at, _tokens.AsSpan(at + 1, length - 1)));
            first += length;
        }
    }

    // Chooses tokens while the guess said the same.
    private void Accept(BatchRow row, FloatTensor scores, int first, ReadOnlySpan<int> draft)
    {
        EngineText text = row.Text!;
        int agreed = 0;
        try
        {
            for (; ; agreed++)
            {
                Span<float> own = scores.Row(first + agreed);
                Scores.RequireNumbers(own, "score of token", _model);
                int token = text.Row.Append(own, text.IsReplaying ? TimeSpan.Zero : row.Request.Elapsed);
                text.Compare();
                if (text.Row.FinishReason is not null || agreed == draft.Length || draft[agreed] != token)
                    break;
            }
        }
        finally
        {
            if (agreed < draft.Length)
                _cache.Truncate(row.Slot, _cache.Length(row.Slot) - (draft.Length - agreed));
        }
        text.Learn(draft.Length, agreed);
        text.Give();
        if (text.Row.FinishReason is not null)
            EndText(row);
    }

    private static void EndText(BatchRow row)
    {
        EngineRequest request = row.Request;
        if (--request.Remaining > 0)
            return;
        if (request.Request.BestOf is not null)
        {
            bool asked = request.Request.Options.TopLogProbabilities is not null;
            int wanted = request.Request.Options.NumReturnSequences ?? 1, index = 0;
            foreach (EngineText text in request.Texts.OrderByDescending(text => text.Score).Take(wanted))
                request.Give(new GenerationUpdate(index++, text.Whole(asked)));
        }
        request.Complete();
    }

    // What goes wrong with one text is that request's alone.
    private static void Guard(BatchRow row, Action work)
    {
        try
        {
            if (!row.Request.IsOver)
                work();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            row.Request.Complete(e);
        }
    }

    // Texts that ended leave, and their prompts stay for others.
    private void RemoveOver()
    {
        foreach (BatchRow row in _rows.FindAll(row => row.IsOver))
        {
            _rows.Remove(row);
            _held = null;
            if (row.MayShare)
                _prefixes.Keep(row.Slot, row.AllTokens[..Math.Min(row.Shareable, _cache.Length(row.Slot))]);
            _cache.Truncate(row.Slot, 0);
            row.Text?.Dispose();
        }
    }

    // Prompts that are only kept give way to what a pass appends.
    private void MakeRoom(long bytes)
    {
        while (_cache.BytesInUse + bytes > _limit && _prefixes.EvictOne())
        {
        }
    }
}
