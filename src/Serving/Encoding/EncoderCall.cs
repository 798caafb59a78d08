namespace ManagedTransformers.Serving;

/// <summary>A caller's texts, some of which wait, and some of which are in a batch or done.</summary>
internal abstract class EncoderCall
{
    private readonly int[] _order;
    private readonly long _made = Stopwatch.GetTimestamp();
    private int _taken;
    private long _begun;

    /// <param name="key">What calls must have in common to go into one batch: the task and its options, compared by value.</param>
    /// <param name="tokens">About how many tokens each text has.</param>
    /// <param name="token">The caller's.</param>
    protected EncoderCall(object key, int[] tokens, CancellationToken token)
    {
        (Key, Tokens, Token) = (key, tokens, token);
        // The longest first, so that those of one batch have about one length.
        _order = [.. Enumerable.Range(0, tokens.Length).OrderByDescending(i => tokens[i])];
    }

    public object Key { get; }
    public int[] Tokens { get; }
    public CancellationToken Token { get; }

    /// <summary>Where it is written down how long it takes; null: nowhere.</summary>
    public EncoderTimes? Times { get; init; }

    /// <summary>Whether the caller has its answer, or no longer waits for it.</summary>
    public abstract bool IsOver { get; }

    /// <summary>The text that goes next; null: all are in batches, or done.</summary>
    public int? Next => _taken < _order.Length ? _order[_taken] : null;

    public void TakeNext()
    {
        if (_taken++ > 0 || Times is null)
            return;
        _begun = Stopwatch.GetTimestamp();
        Times.Queue += Stopwatch.GetElapsedTime(_made, _begun);
    }

    /// <summary>Runs texts, of this call and of others with the same key, and hands each its result.</summary>
    public abstract void Run(IReadOnlyList<EncoderItem> batch, CancellationToken cancellationToken);

    /// <summary>Ends the call.</summary>
    public abstract void Fail(Exception error);

    /// <summary>Writes down that all its texts are done.</summary>
    protected void End()
    {
        if (Times is not null)
            Times.Inference += Stopwatch.GetElapsedTime(_begun);
    }

    /// <summary>Ends the call by the error of one of its texts.</summary>
    public void Fail(int item, Exception error) =>
        Fail(Tokens.Length > 1 && error is ModelInputException ? new ModelInputException($"Text {item} of {Tokens.Length}: {error.Message}", error) : error);
}

/// <summary>How long calls took; of one after the other, together.</summary>
internal sealed class EncoderTimes
{
    /// <summary>Until their first text went into a batch.</summary>
    public TimeSpan Queue { get; set; }

    /// <summary>From then until their last text was done; tokenizing is a part of it.</summary>
    public TimeSpan Inference { get; set; }
}

/// <summary>A text of a call.</summary>
internal readonly record struct EncoderItem(EncoderCall Call, int Index);

/// <summary>A call whose texts are of a type, and become results of another.</summary>
internal sealed class EncoderCall<TItem, TResult> : EncoderCall
{
    private readonly TaskCompletionSource<IReadOnlyList<TResult>> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenRegistration _registration;
    private readonly IReadOnlyList<TItem> _items;
    private readonly RunTexts _run;
    private readonly TResult[] _results;
    private int _missing;

    public EncoderCall(object key, IReadOnlyList<TItem> items, int[] tokens, RunTexts run, CancellationToken token) : base(key, tokens, token)
    {
        (_items, _run, _results, _missing) = (items, run, new TResult[items.Count], items.Count);
        _registration = token.UnsafeRegister(
            static (call, token) => ((EncoderCall<TItem, TResult>)call!)._result.TrySetCanceled(token), this);
    }

    /// <summary>Gives texts to a pipeline.</summary>
    public delegate IReadOnlyList<TResult> RunTexts(IReadOnlyList<TItem> items, CancellationToken cancellationToken);

    public Task<IReadOnlyList<TResult>> Result => _result.Task;

    public override bool IsOver => _result.Task.IsCompleted;

    public override void Run(IReadOnlyList<EncoderItem> batch, CancellationToken cancellationToken)
    {
        IReadOnlyList<TResult> results = _run([.. batch.Select(item => Of(item)._items[item.Index])], cancellationToken);
        for (int i = 0; i < batch.Count; i++)
            Of(batch[i]).Deliver(batch[i].Index, results[i]);
    }

    public override void Fail(Exception error)
    {
        _registration.Dispose();
        _result.TrySetException(error);
    }

    // The key says the task, and the task the types.
    private static EncoderCall<TItem, TResult> Of(EncoderItem item) => (EncoderCall<TItem, TResult>)item.Call;

    private void Deliver(int item, TResult result)
    {
        _results[item] = result;
        if (--_missing > 0)
            return;
        _registration.Dispose();
        End();
        _result.TrySetResult(_results);
    }
}
