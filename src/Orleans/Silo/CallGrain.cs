using System.Runtime.CompilerServices;

namespace ManagedTransformers.Orleans;

/// <summary>A grain for one call, which it ends with. Orleans' collection of old grains goes by the time of day, and fails where a clock is put back, so that
/// it is not left to that (<c>[KeepAlive]</c>).</summary>
internal abstract class CallGrain : Grain
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(10);

    private int _running;
    private bool _wasIdle;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(EndIdleAsync, new GrainTimerCreationOptions(s_period, s_period) { Interleave = true });
        return Task.CompletedTask;
    }

    /// <summary>Ends a call at its caller's: the results, and the grain after them, for the end of results that failed makes the grain anew.</summary>
    /// <param name="results">What the call gives.</param>
    /// <param name="end">The grain's <see cref="EndAsync"/>; null: it is gone.</param>
    /// <param name="silo">Where it is, or would be made anew.</param>
    public static async Task CloseAsync<T>(IAsyncEnumerator<T> results, Func<Task>? end, SiloAddress silo)
    {
        try
        {
            await results.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            ModelPlacementDirector.SendTo(silo);
            if (end is not null)
                await end().ConfigureAwait(false);
        }
    }

    /// <summary>Nothing more is asked for.</summary>
    public Task EndAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    /// <summary>Gives what the call asks for. A caller that cancels, or was lost, does not say <see cref="EndAsync"/>.</summary>
    protected async IAsyncEnumerable<T> GiveAsync<T>(
        IAsyncEnumerable<T> results, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        bool hasEnded = false;
        _running++;
        try
        {
            await foreach (T result in results.WithCancellation(cancellationToken))
                yield return result;
            hasEnded = true;
        }
        finally
        {
            _running--;
            if (!hasEnded)
                DeactivateOnIdle();
        }
    }

    // A call that is cancelled at once may begin here after its end, or never.
    private Task EndIdleAsync(CancellationToken cancellationToken)
    {
        if (_running == 0 && _wasIdle)
            DeactivateOnIdle();
        _wasIdle = _running == 0;
        return Task.CompletedTask;
    }
}
