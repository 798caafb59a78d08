namespace ManagedTransformers.Orleans;

/// <summary>How a request goes on when silos fail: elsewhere, with pauses that grow, and not for ever.</summary>
/// <param name="what">What is attempted, for messages.</param>
/// <param name="most">The most silos that fail one after the other.</param>
internal sealed class SiloFailures(string what, int most)
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(20), s_longestPause = TimeSpan.FromSeconds(1);

    private readonly HashSet<string> _excluded = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>The silos on which it failed.</summary>
    public string[] Excluded => [.. _excluded];

    /// <summary>What silos that are lost or stop end calls with, as opposed to what is wrong with a request.</summary>
    public static bool IsOfSilo(Exception error) => error
        is OrleansException or EnumerationAbortedException or TimeoutException or ObjectDisposedException or OperationCanceledException or NoSiloException
        or ModelFingerprintException or System.IO.IOException;

    /// <summary>Something came: what failed before counts no more.</summary>
    public void Clear()
    {
        _count = 0;
        _excluded.Clear();
    }

    /// <summary>Notes a failure, and waits until the next attempt.</summary>
    /// <param name="silo">The silo; null: none could be chosen.</param>
    /// <param name="error">With what it failed.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="NoSiloException">There were too many.</exception>
    public async Task AddAsync(SiloAddress? silo, Exception error, CancellationToken cancellationToken)
    {
        if (++_count > most)
            throw new NoSiloException($"{_count} attempts to {what} failed one after the other, the last with: {error.Message}", error);
        if (silo is not null)
            _excluded.Add(silo.ToParsableString());
        else
            _excluded.Clear();                                                     // none was left: a silo may be back
        if (_count == 1)
            return;
        TimeSpan pause = s_firstPause * (1 << Math.Min(_count, 10));
        await Task.Delay(pause < s_longestPause ? pause : s_longestPause, cancellationToken).ConfigureAwait(false);
    }
}
