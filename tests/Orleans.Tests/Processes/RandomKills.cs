using System.Diagnostics;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Kills a random silo of a fleet every 10 s, and starts it again.</summary>
internal sealed class RandomKills : IAsyncDisposable
{
    private readonly PeriodicTimer _timer = new(TimeSpan.FromSeconds(10));
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Task _killing;

    /// <summary>Begins.</summary>
    /// <param name="fleet">The silos.</param>
    /// <param name="state">What is written down at each kill.</param>
    public RandomKills(ProcessFleet fleet, Func<string> state) => _killing = Task.Run(async () =>
    {
        var random = new Random(1);
        while (await _timer.WaitForNextTickAsync())                               // false: it was disposed
        {
            int silo = random.Next(3);
            fleet.Silos[silo].Signal("KILL");
            Count++;
            TestContext.Progress.WriteLine($"{_clock.Elapsed:mm\\:ss} silo-{silo} killed, {state()}");
            await fleet.StartAsync(silo);
        }
    });

    public int Count { get; private set; }

    public double Seconds => _clock.Elapsed.TotalSeconds;

    /// <summary>Kills no more; fails where a silo could not be started again.</summary>
    public async Task EndAsync()
    {
        _timer.Dispose();
        _clock.Stop();
        await _killing;
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await Task.WhenAny(_killing);
    }
}
