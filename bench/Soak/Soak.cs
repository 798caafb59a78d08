using System.Collections.Concurrent;
using System.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>What a soak is.</summary>
internal sealed record SoakSettings
{
    /// <summary>How long is measured, after the warm-up.</summary>
    public required TimeSpan Time { get; init; }
    public required TimeSpan Round { get; init; }
    public int Threads { get; init; } = 8;
    public int Seed { get; init; } = 1;

    /// <summary>How many different calls of each kind there are.</summary>
    public int Cases { get; init; } = 40;

    /// <summary>After as many calls caches are full, and all that runs is compiled: until then nothing is measured, however long that takes.</summary>
    public int WarmCalls { get; init; } = 10_000;

    /// <summary>Whether nothing else runs in the process: memory is the same in samples then, if nothing grows.</summary>
    public bool IsAlone { get; init; }

    /// <summary>Told of each sample.</summary>
    public Action<SoakSample>? Progress { get; init; }
}

/// <summary>Calls of all kinds from many threads in one process, each answer compared with the one it had when nothing else ran.</summary>
/// <remarks>The threads rest at the end of each round, when memory, files, threads and mappings are measured.</remarks>
internal sealed class Soak
{
    private const int MostFailures = 50;
    private static readonly SoakKind[] s_kinds = [.. SoakKinds.All, .. SoakLifeKinds.All];
    private static readonly SoakKind[] s_drawn = [.. s_kinds.SelectMany(kind => Enumerable.Repeat(kind, kind.Weight))];

    private readonly SoakSettings _settings;
    private readonly SoakModels _models;
    private readonly Dictionary<string, SoakAnswer[]> _right = [];
    private readonly ConcurrentDictionary<string, long> _counts = [];
    private readonly ConcurrentQueue<string> _failures = [];
    private readonly SoakWatch _watch;

    private Soak(SoakSettings settings, SoakModels models) =>
        (_settings, _models, _watch, Curve) = (settings, models, new SoakWatch(settings.Threads), new SoakCurve(settings.IsAlone));

    public SoakCurve Curve { get; }
    public IReadOnlyDictionary<string, long> Counts => _counts;
    public IReadOnlyCollection<string> Failures => _failures;
    public long Calls => _watch.Ended;

    /// <summary>Runs on a thread of its own: those of the pool end before each sample.</summary>
    public static Task<Soak> RunAsync(SoakSettings settings, SoakModels models) => Task.Factory.StartNew(() =>
    {
        var soak = new Soak(settings, models);
        foreach (SoakKind kind in s_kinds)
            soak._right.Add(kind.Name, RightAsync(models, kind, settings.Cases).GetAwaiter().GetResult());
        int round = 0;
        while (soak.Calls < settings.WarmCalls)
            soak.Round(round++);
        soak.Curve.EndWarmUp();
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < settings.Time;)
            soak.Round(round++);
        return soak;
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The right answers of a kind, computed when nothing else runs.</summary>
    public static async Task<SoakAnswer[]> RightAsync(SoakModels models, SoakKind kind, int cases)
    {
        SoakKind own = kind.SameAs is null ? kind : Array.Find(s_kinds, one => one.Name == kind.SameAs)!;
        var right = new SoakAnswer[cases];
        for (int n = 0; n < cases; n++)
            right[n] = await own.Ask(models, n).ConfigureAwait(false)
                ?? throw new InvalidOperationException($"{kind.Name} {n} was refused, and nothing else runs.");
        return right;
    }

    private void Round(int round)
    {
        long start = Stopwatch.GetTimestamp();
        Task all = Task.WhenAll(Enumerable.Range(0, _settings.Threads).Select(thread => SoakWatch.OnThread(
            () => CallsAsync(thread, new Random((((_settings.Seed * 100_003) + round) * 101) + thread), start).GetAwaiter().GetResult())));
        _watch.Wait(all, $"round {round}");
        _watch.Wait(SoakWatch.OnThread(() => QuietAsync().GetAwaiter().GetResult()), "the end of what callers left");
        SoakSample sample = Curve.Sample(Calls);
        _settings.Progress?.Invoke(sample);
    }

    private async Task CallsAsync(int thread, Random random, long start)
    {
        while (Stopwatch.GetElapsedTime(start) < _settings.Round)
        {
            SoakKind kind = s_drawn[random.Next(s_drawn.Length)];
            int n = random.Next(_settings.Cases);
            _watch.Begin(thread, kind, n);
            await CallAsync(kind, n).ConfigureAwait(false);
            _watch.End(thread);
        }
    }

    private async Task CallAsync(SoakKind kind, int n)
    {
        string? wrong = null, how = "right";
        try
        {
            SoakAnswer? answer = await kind.Ask(_models, n).ConfigureAwait(false);
            wrong = answer is null ? null : _right[kind.Name][n].DifferenceTo(answer, kind.Tolerance);
            how = answer is null ? "refused, too many asked" : how;
        }
        catch (Exception e)
        {
            wrong = e.ToString();
        }
        _counts.AddOrUpdate($"{kind.Name}: {(wrong is null ? how : "WRONG")}", 1, static (_, count) => count + 1);
        if (wrong is not null && _failures.Count < MostFailures)
            _failures.Enqueue($"{kind.Name} {n}: {wrong}");
    }

    // What callers left runs for a step more; the host's models go, so that each sample has the same in memory.
    private async Task QuietAsync()
    {
        foreach (string id in _models.Host.Models.Select(model => model.Id))
            await _models.Host.UnloadAsync(id).ConfigureAwait(false);
        while (_models.Generation.State is { } state && (state.Running.Count > 0 || state.Waiting > 0))
            await Task.Delay(1).ConfigureAwait(false);
    }
}
