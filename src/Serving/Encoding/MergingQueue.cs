namespace ManagedTransformers.Serving;

/// <summary>Runs the texts of many calls in batches, one after the other, or as many at once as an app wants. What arrives meanwhile becomes the next
/// one.</summary>
/// <remarks>A call that finds nothing running starts at once. Calls take turns: each gives a text to the batch, again and again, until it is full, so that one
/// with many texts fills what others leave.</remarks>
internal sealed class MergingQueue : IAsyncDisposable
{
    private readonly EncoderEngineOptions _options;
    private readonly EncoderHosting? _hosting;
    private readonly Lock _gate = new();
    private readonly LinkedList<EncoderCall> _waiting = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task?[] _runners;                  // null: not running
    private readonly EncoderItem[][] _running;          // each runner's batch
    private bool _isClosed;
    private EncoderEngineTotals _totals = new();

    public MergingQueue(EncoderEngineOptions options, EncoderHosting? hosting)
    {
        (_options, _hosting) = (options, hosting);
        _runners = new Task?[hosting?.MaxConcurrency ?? 1];
        _running = [.. _runners.Select(_ => (EncoderItem[])[])];
    }

    public EncoderEngineState State
    {
        get
        {
            lock (_gate)
                return new EncoderEngineState(_running.Sum(batch => batch.Length), _waiting.Count(call => !call.IsOver), _totals);
        }
    }

    /// <exception cref="EngineBusyException">As many calls wait as may.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void Enqueue(EncoderCall call)
    {
        lock (_gate)
        {
            if (_isClosed)
                throw Disposed();
            int free = Array.IndexOf(_runners, null);
            if (free < 0 && _waiting.Count >= _options.MaxQueue)
                RemoveThoseOver();
            if (free < 0 && _waiting.Count >= _options.MaxQueue)
                throw new EngineBusyException($"{_waiting.Count} requests wait for the model, and no more may (MaxQueue). Try again later, or raise it.");
            _waiting.AddLast(call);
            if (free >= 0)
                _runners[free] = Task.Run(() => RunAsync(free));
        }
    }

    /// <summary>Takes no more calls, and fails those that wait or have texts left. Batches that run finish.</summary>
    public void Close()
    {
        lock (_gate)
            _isClosed = true;
        FailWaiting(Disposed());
    }

    /// <summary>Fails all calls, ends the batches that run, and returns when they have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        Close();
        EncoderItem[] running;
        Task[] runners;
        lock (_gate)
            (running, runners) = ([.. _running.SelectMany(batch => batch)], [.. _runners.OfType<Task>()]);
        foreach (EncoderItem item in running)
            item.Call.Fail(Disposed());
        await _end.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(runners).ConfigureAwait(false);
    }

    private ObjectDisposedException Disposed() => _hosting?.Disposed() ?? new ObjectDisposedException(nameof(EncoderEngine));

    private void FailWaiting(Exception error, int? ending = null)
    {
        EncoderCall[] failed;
        lock (_gate)
        {
            failed = [.. _waiting];
            _waiting.Clear();
            if (ending is int runner)
                _runners[runner] = null;
        }
        foreach (EncoderCall call in failed)
            call.Fail(error);
    }

    private void RemoveThoseOver()
    {
        for (LinkedListNode<EncoderCall>? node = _waiting.First, next; node is not null; node = next)
        {
            next = node.Next;
            if (node.Value.IsOver)
                _waiting.Remove(node);
        }
    }

    /// <summary>One batch after the other, until nobody waits.</summary>
    private async Task RunAsync(int runner)
    {
        while (true)
        {
            try
            {
                using IDisposable? place = _hosting is null ? null : await _hosting.EnterAsync().ConfigureAwait(false);
                if (TakeBatch(runner) is not { } batch)
                    return;
                RunBatch(runner, batch);
            }
            catch (Exception e)                         // there is no model
            {
                FailWaiting(e, runner);
                return;
            }
            // Callers that have got their results run before this goes on, and their next texts go into the batch that follows.
            await Task.Yield();
        }
    }

    private EncoderItem[]? TakeBatch(int runner)
    {
        lock (_gate)
        {
            RemoveThoseOver();
            if (_waiting.First is null)
            {
                _runners[runner] = null;
                return null;
            }
            object key = _waiting.First.Value.Key;
            EncoderCall[] calls = [.. _waiting.Where(call => call.Key.Equals(key)).Take(_options.MaxBatchTexts)];
            Fill([.. calls]);
            var batch = new List<EncoderItem>();
            foreach (EncoderCall call in calls)
            {
                // Each caller's in the caller's order: the pipeline then forms the same passes as for a call of its own.
                int[] texts = call.EndTurn();
                if (texts.Length == 0)
                    continue;
                batch.AddRange(texts.Select(text => new EncoderItem(call, text)));
                _waiting.Remove(call);
                if (call.Next is null)
                    _totals = _totals with { Requests = _totals.Requests + 1 };
                else
                    _waiting.AddLast(call);             // behind those that wait for their first turn
            }
            _totals = _totals with { Batches = _totals.Batches + 1, Texts = _totals.Texts + batch.Count };
            return _running[runner] = [.. batch];
        }
    }

    /// <summary>Takes a text of each call in turn, until the next one would be too much; one at least.</summary>
    private void Fill(List<EncoderCall> calls)
    {
        for (int texts = 0, tokens = 0; calls.Count > 0; calls.RemoveAll(call => call.Next is null))
        {
            foreach (EncoderCall call in calls)
            {
                tokens += call.Tokens[call.Next!.Value];
                if (texts > 0 && (tokens > _options.MaxBatchTokens || texts == _options.MaxBatchTexts))
                    return;
                call.TakeNext();
                texts++;
            }
        }
    }

    private void RunBatch(int runner, EncoderItem[] batch)
    {
        long start = Stopwatch.GetTimestamp();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        EncoderCall[] calls = [.. batch.Select(item => item.Call).Distinct()];
        int left = calls.Length;
        CancellationTokenRegistration[] gone = [.. calls.Select(call => call.Token.UnsafeRegister(_ =>
        {
            if (Interlocked.Decrement(ref left) == 0)
                end.Cancel();                           // nobody is left who waits for it
        }, null))];
        try
        {
            Run(batch, end.Token);
        }
        finally
        {
            foreach (CancellationTokenRegistration registration in gone)
                registration.Dispose();
            lock (_gate)
            {
                _running[runner] = [];
                _totals = _totals with { Time = _totals.Time + Stopwatch.GetElapsedTime(start) };
            }
        }
    }

    /// <summary>Runs texts. Where that fails by one of them, each half is tried for itself, so that in the end only the call whose text it is gets the
    /// error. Texts are read before the model runs, so that little is done twice.</summary>
    private void Run(EncoderItem[] batch, CancellationToken cancellationToken)
    {
        if (Array.Exists(batch, item => item.Call.IsOver))
            batch = Array.FindAll(batch, item => !item.Call.IsOver);
        if (batch.Length == 0)
            return;
        try
        {
            batch[0].Call.Operation.Batch(batch.Length);
            _hosting?.OnBatch(batch.Length, batch.DistinctBy(item => item.Call).Count());
            batch[0].Call.Run(batch, cancellationToken);
        }
        catch (Exception e) when (batch.Length > 1 && e is ArgumentException or ModelInputException)
        {
            int half = batch.Length / 2;
            Run(batch[..half], cancellationToken);
            Run(batch[half..], cancellationToken);
        }
        catch (Exception e)                             // of those whose callers have gone, a cancellation that nobody sees
        {
            foreach (EncoderItem item in batch)
                item.Call.Fail(item.Index, e);
        }
    }
}

/// <summary>What an app puts around an engine.</summary>
internal sealed record EncoderHosting
{
    /// <summary>Batches that run at once, at most.</summary>
    public int MaxConcurrency { get; init; } = 1;

    /// <summary>Waits until a batch may run, and throws where there is no model, which fails all calls that wait; disposing what it gives ends the
    /// batch's turn.</summary>
    public required Func<Task<IDisposable>> EnterAsync { get; init; }

    /// <summary>Told of each batch how many texts it has, and of how many calls.</summary>
    public required Action<int, int> OnBatch { get; init; }

    /// <summary>What calls get that come too late.</summary>
    public required Func<ObjectDisposedException> Disposed { get; init; }
}
