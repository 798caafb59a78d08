namespace ManagedTransformers.Hub;

/// <summary>A failure that may pass: a cut connection, silence, an overloaded server.</summary>
internal sealed class HubTransientException(string message, TimeSpan? retryAfter = null, Exception? inner = null) : IOException(message, inner)
{
    public TimeSpan? RetryAfter => retryAfter;
}

/// <summary>Tries again what may pass, with longer and longer waits.</summary>
internal sealed class HubRetry(HubOptions options)
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestRequested = TimeSpan.FromMinutes(5);

    /// <summary>Runs until it succeeds, fails for good, or failed too often with nothing gained: <paramref name="gained"/> grows as bytes arrive.</summary>
    /// <exception cref="HubException">It failed for good.</exception>
    public async Task<T> RunAsync<T>(string what, Func<Task<T>> attempt, Func<long> gained, CancellationToken cancellationToken)
    {
        int failures = 0;
        long before = gained();
        while (true)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubTransientException e)
            {
                long now = gained();
                failures = now > before ? 1 : failures + 1;
                before = now;
                string? tooLong = e.RetryAfter > LongestRequested ? $"The server asks to wait {e.RetryAfter.Value.TotalMinutes:0} minutes." : null;
                if (failures > options.MaxRetries || tooLong is not null)
                    throw new HubException($"{what}: {e.Message} {tooLong ?? $"It failed {failures} times in a row."} " +
                        "What has arrived is kept: try again later, and it is gone on with.", e);
                await Task.Delay(Delay(failures, e.RetryAfter), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private TimeSpan Delay(int failures, TimeSpan? requested)
    {
        TimeSpan own = options.RetryDelay * Math.Pow(2, Math.Min(failures, 16) - 1);
        own = own < LongestDelay ? own : LongestDelay;
        return requested > own ? requested.Value : own;
    }
}
