using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace ManagedTransformers.Bench;

/// <summary>What a load is.</summary>
internal sealed record ServerLoadSettings
{
    public required IPEndPoint Server { get; init; }
    public required int Requests { get; init; }
    public int Clients { get; init; } = 32;
    public int Seed { get; init; } = 1;

    /// <summary>When no more requests are begun.</summary>
    public TimeSpan Most { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Called after each request.</summary>
    public Action? Progress { get; init; }
}

/// <summary>What became of the requests.</summary>
internal sealed class ServerLoadResult
{
    private const int MostFailures = 100;
    private readonly ConcurrentDictionary<string, int> _counts = [];
    private readonly ConcurrentQueue<string> _failures = [];
    private int _requests;

    /// <summary>How many requests of each kind had each end.</summary>
    public IReadOnlyDictionary<string, int> Counts => _counts;

    /// <summary>What went wrong; the first of them.</summary>
    public IReadOnlyCollection<string> Failures => _failures;

    /// <summary>How many requests were made.</summary>
    public int Requests => _requests;

    public void Over() => Interlocked.Increment(ref _requests);

    public void Count(string what) => _counts.AddOrUpdate(what, 1, static (_, count) => count + 1);

    public void Fail(int request, string kind, string what)
    {
        Count($"{kind}: WRONG");
        if (_failures.Count < MostFailures)
            _failures.Enqueue($"request {request}, {kind}: {what}");
    }
}

/// <summary>Many clients at once, each of which asks what is right or does what is wrong, by a seed: a request is the same in each run, whichever client it
/// falls to.</summary>
internal sealed class ServerLoad(ServerLoadSettings settings, LoadCase[] cases) : IDisposable
{
    private static readonly TimeSpan s_each = TimeSpan.FromSeconds(120);
    private readonly ServerLoadResult _result = new();
    private readonly CancellationTokenSource _end = new(settings.Most);
    private int _next;

    public static async Task<ServerLoadResult> RunAsync(ServerLoadSettings settings, LoadCase[] cases)
    {
        using var load = new ServerLoad(settings, cases);
        await Task.WhenAll(Enumerable.Range(0, settings.Clients).Select(_ => Task.Run(load.ClientAsync))).ConfigureAwait(false);
        await load.RequireIdleAsync().ConfigureAwait(false);
        return load._result;
    }

    public void Dispose() => _end.Dispose();

    private async Task ClientAsync()
    {
        using var client = new LoadClient(settings.Server, cases, _result);
        while (Interlocked.Increment(ref _next) is int number && number <= settings.Requests && !_end.IsCancellationRequested)
        {
            var random = new Random(unchecked((settings.Seed * 1_000_003) + number));
            (string kind, Func<LoadClient, Random, CancellationToken, Task> act) = LoadFaults.Some(random);
            using var time = new CancellationTokenSource(s_each);
            try
            {
                await act(client, random, time.Token).ConfigureAwait(false);
            }
            catch (LoadFailureException e)
            {
                _result.Fail(number, kind, e.Message);
            }
            catch (OperationCanceledException)
            {
                _result.Fail(number, kind, $"no end within {s_each.TotalSeconds} s");
            }
            catch (Exception e) when (e is IOException or SocketException or FormatException or JsonException or InvalidOperationException
                or KeyNotFoundException)
            {
                _result.Fail(number, kind, $"{e.GetType().Name}: {e.Message}");
            }
            _result.Over();
            settings.Progress?.Invoke();
        }
    }

    // Rows of clients that went away are free within a token; a second is for the news to arrive.
    private async Task RequireIdleAsync()
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            string? busy = await BusyAsync().ConfigureAwait(false);
            if (busy is null)
                return;
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(30))
            {
                _result.Fail(0, "after the run", busy);
                return;
            }
            await Task.Delay(100).ConfigureAwait(false);
        }
    }

    private async Task<string?> BusyAsync()
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://{settings.Server}") };
        JsonElement slots = JsonElement.Parse(await http.GetStringAsync(new Uri("/slots", UriKind.Relative)).ConfigureAwait(false));
        int running = slots.EnumerateArray().Count(slot => slot.GetProperty("is_processing").GetBoolean());
        string metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative)).ConfigureAwait(false);
        string[] wanted = ["llamacpp:requests_processing 0", "llamacpp:requests_deferred 0"];
        string[] lines = metrics.Split('\n');
        string[] active = [.. lines.Where(line => line.StartsWith("managed_transformers_calls_active{", StringComparison.Ordinal))];
        string? open = active.FirstOrDefault(line => !line.EndsWith(" 0", StringComparison.Ordinal));
        return running > 0 ? $"{running} slots are processing" : open ?? wanted.FirstOrDefault(line => !lines.Contains(line)) switch
        {
            null => null,
            string line => $"/metrics lacks '{line}'",
        };
    }
}

/// <summary>The server did what it should not.</summary>
internal sealed class LoadFailureException(string message) : Exception(message);
