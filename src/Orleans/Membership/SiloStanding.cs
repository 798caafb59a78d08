namespace ManagedTransformers.Orleans;

/// <summary>Whether this silo knows that it belongs to the cluster: it was confirmed within <see cref="ModelSiloOptions.MembershipTimeout"/>. Times are taken
/// from a clock that cannot jump, and goes on while the process is stopped. Thread-safe.</summary>
internal sealed class SiloStanding(ModelSiloOptions options, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private CancellationTokenSource _lost = new();
    private long _confirmed = time.GetTimestamp();
    private bool _isDead;

    /// <summary>False: others may have taken over what this silo does.</summary>
    public bool IsConfirmed
    {
        get
        {
            lock (_gate)
                return !_isDead && time.GetElapsedTime(_confirmed) < options.MembershipTimeout;
        }
    }

    /// <summary>Cancelled when it is no longer confirmed. Afterwards it is another one.</summary>
    public CancellationToken Lost
    {
        get
        {
            lock (_gate)
                return _lost.Token;
        }
    }

    /// <summary>It belonged to the cluster when somebody was asked.</summary>
    /// <param name="asked">A timestamp from before the question: the answer may be as old.</param>
    public void Confirm(long asked)
    {
        lock (_gate)
        {
            _confirmed = Math.Max(_confirmed, asked);
            if (_lost.IsCancellationRequested && IsConfirmed)
                _lost = new CancellationTokenSource();
        }
    }

    /// <summary>The cluster has declared this silo dead, for ever.</summary>
    public void Bury()
    {
        lock (_gate)
            _isDead = true;
    }

    /// <summary>Ends what runs, if it is no longer confirmed.</summary>
    /// <returns>Whether that has just happened.</returns>
    public bool Expire()
    {
        CancellationTokenSource lost;
        lock (_gate)
        {
            if (IsConfirmed || _lost.IsCancellationRequested)
                return false;
            lost = _lost;
        }
        lost.Cancel();
        return true;
    }

    public void Dispose() => _lost.Dispose();

    /// <summary>What callers hear meanwhile.</summary>
    public NoSiloException Refusal(string silo) => new(
        $"The silo {silo} has not been able to confirm for {options.MembershipTimeout.TotalSeconds:0.#} s that it belongs to the cluster: it reads the " +
        "membership table in vain, or was declared dead, and does not reach all other silos. It answers nothing meanwhile, because they may answer in its " +
        "place. Try again later, or elsewhere.");
}
