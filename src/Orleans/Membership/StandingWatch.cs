using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans;

/// <summary>Confirms a silo's <see cref="SiloStanding"/> again and again: it reads itself in the membership table. Where the table cannot be read, the silo
/// still belongs to the cluster as long as every silo that was active answers: then nobody is apart who could do the same work.</summary>
internal sealed partial class StandingWatch(
    SiloStanding standing, ModelSiloOptions options, IMembershipTable table, IClusterMembershipService members, StandingClient peers,
    ILocalSiloDetails silo, TimeProvider time, ILogger<StandingWatch> log) : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private Task _running = Task.CompletedTask;

    // Five attempts before it is too late.
    private TimeSpan Interval => options.MembershipTimeout / 5;

    // It stops after what drains.
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(StandingWatch), ServiceLifecycleStage.BecomeActive, Start, StopAsync);

    public void Dispose() => _end.Dispose();

    private Task Start(CancellationToken cancellationToken)
    {
        standing.Confirm(time.GetTimestamp());                     // what joins writes into the table
        _running = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
                await AskAsync().ConfigureAwait(false);
            while (await timer.WaitForNextTickAsync(_end.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
        }
    }

    private async Task AskAsync()
    {
        long asked = time.GetTimestamp();
        bool? isMember = await IsInTableAsync().ConfigureAwait(false);
        if (isMember ?? await ReachesAllAsync().ConfigureAwait(false))
        {
            bool wasLost = standing.Lost.IsCancellationRequested;
            standing.Confirm(asked);
            if (wasLost)
                Found(log, silo.Name);
            return;
        }
        if (isMember == false)
            standing.Bury();
        if (standing.Expire())
            Lost(log, standing.Refusal(silo.Name).Message);
    }

    // Null: it cannot be read.
    private async Task<bool?> IsInTableAsync()
    {
        try
        {
            MembershipTableData all = await WithinAsync(table.ReadAllAsync).ConfigureAwait(false);
            return all.TryGet(silo.SiloAddress) is { } row && row.Item1.Status != SiloStatus.Dead;
        }
        catch (Exception e) when (!_end.IsCancellationRequested)
        {
            CannotRead(log, e.Message);
            return null;
        }
    }

    private async Task<bool> ReachesAllAsync()
    {
        IEnumerable<SiloAddress> others = members.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active && !member.SiloAddress.Equals(silo.SiloAddress)).Select(member => member.SiloAddress);
        try
        {
            await Task.WhenAll(others.Select(other => WithinAsync(async _ =>
            {
                await peers.PingAsync(other).ConfigureAwait(false);
                return true;
            }))).ConfigureAwait(false);
            return true;
        }
        catch (Exception) when (!_end.IsCancellationRequested)
        {
            return false;
        }
    }

    // Neither a table nor a silo that does not answer may take longer than until the next attempt.
    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> ask)
    {
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        wait.CancelAfter(Interval);
        Task<T> answer = ask(wait.Token);
        answer.Ignore();
        return await answer.WaitAsync(wait.Token).ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The membership table cannot be read: {Problem}")]
    private static partial void CannotRead(ILogger log, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void Lost(ILogger log, string message);

    [LoggerMessage(Level = LogLevel.Information, Message = "The silo {Name} belongs to the cluster again.")]
    private static partial void Found(ILogger log, string name);
}
