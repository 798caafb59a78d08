using System.Runtime.CompilerServices;

namespace ManagedTransformers.Server;

/// <summary>Streams in which nothing comes for a while.</summary>
internal static class KeepAlive
{
    /// <summary>How long nothing may be sent.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    // Continue takes a line that begins ": ping" for the end of the stream.
    private static readonly byte[] s_comment = ": keep-alive\n\n"u8.ToArray();

    /// <summary>The same items; while the next one is awaited, a comment is sent from time to time, so that nobody on the way takes the stream for dead. What
    /// fails before the first comment and the first item is still an ordinary answer.</summary>
    /// <param name="items">What becomes events; one at a time is asked for.</param>
    /// <param name="request">The request whose answer is a stream of events.</param>
    /// <param name="interval">How long nothing may be sent.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public static async IAsyncEnumerable<T> WithKeepAlive<T>(
        this IAsyncEnumerable<T> items, ApiRequest request, TimeSpan interval, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using IAsyncEnumerator<T> source = items.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            Task<bool> next = source.MoveNextAsync().AsTask();
            try
            {
                while (!await CompletesWithin(next, interval).ConfigureAwait(false))
                    await request.SendRawAsync(s_comment).ConfigureAwait(false);
            }
            finally
            {
                // An enumerator may not be disposed while it moves; where the client has gone, it ends within one token.
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            if (!await next.ConfigureAwait(false))
                yield break;
            yield return source.Current;
        }
    }

    private static async Task<bool> CompletesWithin(Task next, TimeSpan interval)
    {
        if (next.IsCompleted)
            return true;
        using var over = new CancellationTokenSource();
        bool completed = await Task.WhenAny(next, Task.Delay(interval, over.Token)).ConfigureAwait(false) == next;
        await over.CancelAsync().ConfigureAwait(false);
        return completed;
    }
}
