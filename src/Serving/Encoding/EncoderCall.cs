namespace ManagedTransformers.Serving;

/// <summary>A caller's texts, some of which wait, and some of which are in a batch or done.</summary>
internal abstract class EncoderCall
{
    private static readonly int[] s_only = [0];

    private readonly int[] _order;
    private readonly long _made = Stopwatch.GetTimestamp();
    private int _taken, _given;
    private long _begun;

    /// <param name="key">What calls must have in common to go into one batch: the pipeline and its options, compared by value.</param>
    /// <param name="tokens">About how many tokens each text has.</param>
    /// <param name="operation">What is measured of it.</param>
    /// <param name="token">The caller's.</param>
    protected EncoderCall(object key, int[] tokens, ModelTelemetry.ModelOperation operation, CancellationToken token)
    {
        (Key, Tokens, Operation, Token) = (key, tokens, operation, token);
        // The longest first, so that those of one batch have about one length.
        _order = tokens.Length == 1 ? s_only : [.. Enumerable.Range(0, tokens.Length).OrderByDescending(i => tokens[i])];
    }

    public object Key { get; }
    public int[] Tokens { get; }
    public ModelTelemetry.ModelOperation Operation { get; }
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

    /// <summary>The texts that were taken since it was last called, in the caller's order.</summary>
    public int[] EndTurn()
    {
        int[] texts = _order[_given.._taken];
        Array.Sort(texts);
        _given = _taken;
        return texts;
    }

    /// <summary>Runs texts, of this call and of others with the same key, and hands each its result.</summary>
    public abstract void Run(IReadOnlyList<EncoderItem> batch, CancellationToken cancellationToken);

    /// <summary>Ends the call.</summary>
    public abstract void Fail(Exception error);

    /// <summary>Writes down that all its texts are done.</summary>
    protected void Done()
    {
        if (Times is not null)
            Times.Inference += Stopwatch.GetElapsedTime(_begun);
        Operation.Dispose();
    }

    /// <summary>Measures an error.</summary>
    protected void Failed(Exception error)
    {
        Operation.Failed(error);
        Operation.Dispose();
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

/// <summary>What is done with texts.</summary>
/// <param name="Operation">gen_ai.operation.name.</param>
/// <param name="Pipeline">What does it.</param>
/// <param name="Options">How, compared by value.</param>
/// <param name="Run">Gives texts to the pipeline.</param>
internal sealed record EncoderTask<TItem, TResult>(
    string Operation, EncoderPipeline Pipeline, object Options, Func<IReadOnlyList<TItem>, CancellationToken, IReadOnlyList<TResult>> Run)
{
    /// <summary>Says in a call's span what its results tell; null: nothing.</summary>
    public Action<ModelTelemetry.ModelOperation, TResult[]>? Tag { get; init; }
}

/// <summary>A call whose texts are of a type, and become results of another.</summary>
/// <remarks>What is measured of it ends before the caller hears of its result: who then looks finds this call's.</remarks>
internal sealed class EncoderCall<TItem, TResult> : EncoderCall
{
    private readonly TaskCompletionSource<IReadOnlyList<TResult>> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenRegistration _registration;
    private readonly IReadOnlyList<TItem> _items;
    private readonly EncoderTask<TItem, TResult> _task;
    private readonly TResult[] _results;
    private int _missing;

    public EncoderCall(
        EncoderTask<TItem, TResult> task, IReadOnlyList<TItem> items, int[] tokens, ModelTelemetry.ModelOperation operation, CancellationToken token)
        : base((task.Pipeline, task.Options), tokens, operation, token)
    {
        (_items, _task, _results, _missing) = (items, task, new TResult[items.Count], items.Count);
        _registration = token.UnsafeRegister(static (call, token) => ((EncoderCall<TItem, TResult>)call!).Cancel(token), this);
    }

    public Task<IReadOnlyList<TResult>> Result => _result.Task;

    public override bool IsOver => _result.Task.IsCompleted;

    public override void Run(IReadOnlyList<EncoderItem> batch, CancellationToken cancellationToken)
    {
        var items = new TItem[batch.Count];
        for (int i = 0; i < items.Length; i++)
            items[i] = Of(batch[i])._items[batch[i].Index];
        IReadOnlyList<TResult> results = _task.Run(items, cancellationToken);
        for (int i = 0; i < items.Length; i++)
            Of(batch[i]).Deliver(batch[i].Index, results[i]);
    }

    public override void Fail(Exception error)
    {
        if (error is OperationCanceledException && Token.IsCancellationRequested)
            return;                                     // the registration ends it, as cancelled
        Refuse(error);
        _result.TrySetException(error);
    }

    /// <summary>Ends a call that nobody will hear of.</summary>
    public void Refuse(Exception error)
    {
        _registration.Dispose();
        Failed(error);
    }

    // The key says the task, and the task the types.
    private static EncoderCall<TItem, TResult> Of(EncoderItem item) => (EncoderCall<TItem, TResult>)item.Call;

    private void Cancel(CancellationToken token)
    {
        Failed(new OperationCanceledException(token));
        _result.TrySetCanceled(token);
    }

    // Two batches that have texts of it may run at once.
    private void Deliver(int item, TResult result)
    {
        _results[item] = result;
        if (Interlocked.Decrement(ref _missing) > 0)
            return;
        _registration.Dispose();
        Operation.SetTag("gen_ai.response.model", _task.Pipeline.ModelId);
        _task.Tag?.Invoke(Operation, _results);
        Done();
        _result.TrySetResult(_results);
    }
}
