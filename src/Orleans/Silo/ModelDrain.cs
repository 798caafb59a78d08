namespace ManagedTransformers.Orleans;

/// <summary>The end of a model's requests on a silo that stops: first of those that have no token yet, which begin anew elsewhere, then of all.</summary>
internal sealed class ModelDrain : IDisposable
{
    private readonly CancellationTokenSource _waiting = new(), _all = new();

    public ModelDrain() => (Waiting, All) = (_waiting.Token, _all.Token);

    /// <summary>Cancelled: what has no token yet ends.</summary>
    public CancellationToken Waiting { get; }

    /// <summary>Cancelled: everything ends.</summary>
    public CancellationToken All { get; }

    public Task EndWaitingAsync() => _waiting.CancelAsync();

    public void Dispose()
    {
        _waiting.Dispose();
        _all.Dispose();
    }

    public async Task EndAllAsync()
    {
        await _waiting.CancelAsync().ConfigureAwait(false);
        await _all.CancelAsync().ConfigureAwait(false);
    }
}
