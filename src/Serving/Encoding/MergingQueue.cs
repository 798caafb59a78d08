namespace ManagedTransformers.Serving;

/// <summary>Runs the texts of many calls in batches, one after the other. What arrives while a batch runs becomes the next one.</summary>
/// <remarks>A call that finds nothing running starts at once. Calls take turns: each gives a text to the batch, again and again, until it is full, so that one
/// with many texts fills what others leave.</remarks>
internal sealed class MergingQueue(EncoderEngineOptions options) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly LinkedList<EncoderCall> _waiting = new();
    private readonly CancellationTokenSource _end = new();
    private EncoderItem[] _running = [];
    private Task? _runner;
    private bool _disposed;
    private EncoderEngineTotals _totals = new();

    public EncoderEngineState State
    {
        get
        {
            lock (_gate)
                return new EncoderEngineState(_running.Length, _waiting.Count(call => !call.IsOver), _totals);
        }
    }

    /// <exception cref="EngineBusyException">As many calls wait as may.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public void Enqueue(EncoderCall call)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(EncoderEngine));
            if (_runner is not null && _waiting.Count >= options.MaxQueue)
                RemoveThoseOver();
            if (_runner is not null && _waiting.Count >= options.MaxQueue)
                throw new EngineBusyException($"{_waiting.Count} requests wait for the model, and no more may (MaxQueue). Try again later, or raise it.");
            _waiting.AddLast(call);
            _runner ??= Task.Run(RunAsync);
        }
    }

    /// <summary>Fails all calls, ends the batch that runs, and returns when it has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        EncoderCall[] failed;
        Task? runner;
        lock (_gate)
        {
            failed = [.. _waiting, .. _running.Select(item => item.Call)];
            _waiting.Clear();
            (_disposed, runner) = (true, _runner);
        }
        foreach (EncoderCall call in failed)
            call.Fail(new ObjectDisposedException(nameof(EncoderEngine)));
        await _end.CancelAsync().ConfigureAwait(false);
        if (runner is not null)
            await runner.ConfigureAwait(false);
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
    private async Task RunAsync()
    {
        while (TakeBatch() is { } batch)
        {
            long start = Stopwatch.GetTimestamp();
            RunBatch(batch);
            lock (_gate)
            {
                _running = [];
                _totals = _totals with
                {
                    Batches = _totals.Batches + 1, Texts = _totals.Texts + batch.Length, Time = _totals.Time + Stopwatch.GetElapsedTime(start),
                };
            }
            // Callers that have got their results run before this goes on, and their next texts go into the batch that follows.
            await Task.Yield();
        }
    }

    private EncoderItem[]? TakeBatch()
    {
        lock (_gate)
        {
            RemoveThoseOver();
            if (_waiting.First is null)
            {
                _runner = null;
                return null;
            }
            object key = _waiting.First.Value.Key;
            // Each caller's in the caller's order: the pipeline then forms the same passes as for a call of its own.
            _running = [.. Fill([.. _waiting.Where(call => call.Key.Equals(key))])
                .GroupBy(item => item.Call).SelectMany(texts => texts.OrderBy(item => item.Index))];
            foreach (EncoderCall call in _running.Select(item => item.Call).Distinct())
            {
                _waiting.Remove(call);
                if (call.Next is null)
                    _totals = _totals with { Requests = _totals.Requests + 1 };
                else
                    _waiting.AddLast(call);             // behind those that wait for their first turn
            }
            return _running;
        }
    }

    /// <summary>A text of each call in turn, until the next one would be too much; one at least.</summary>
    private List<EncoderItem> Fill(List<EncoderCall> calls)
    {
        var batch = new List<EncoderItem>();
        for (int tokens = 0; calls.Count > 0; calls.RemoveAll(call => call.Next is null))
        {
            foreach (EncoderCall call in calls)
            {
                int next = call.Next!.Value;
                tokens += call.Tokens[next];
                if (batch.Count > 0 && (tokens > options.MaxBatchTokens || batch.Count == options.MaxBatchTexts))
                    return batch;
                call.TakeNext();
                batch.Add(new EncoderItem(call, next));
            }
        }
        return batch;
    }

    private void RunBatch(EncoderItem[] batch)
    {
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
        }
    }

    /// <summary>Runs texts. Where that fails by one of them, each half is tried for itself, so that in the end only the call whose text it is gets the
    /// error. Texts are read before the model runs, so that little is done twice.</summary>
    private static void Run(EncoderItem[] batch, CancellationToken cancellationToken)
    {
        batch = [.. batch.Where(item => !item.Call.IsOver)];
        if (batch.Length == 0)
            return;
        try
        {
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
