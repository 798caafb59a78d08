using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans;

/// <summary>Tells the directories what this silo has, from when it is active until it stops.</summary>
internal sealed partial class SiloReporter(SiloModels models, IGrainFactory grains, ILocalSiloDetails silo, ILogger<SiloReporter> log)
    : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    // Changes that come at once make one report.
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    // A directory that was lost is back by then.
    private static readonly TimeSpan s_leaving = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<string, string> _refused = new(StringComparer.Ordinal);
    private Task _running = Task.CompletedTask;
    private long _version;
    private long? _reported;

    // A directory whose silo was lost does not answer for some time, in which the others must hear of this silo: they would think that it is gone.
    private TimeSpan Patience => 2 * models.Options.ReportInterval;

    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(SiloReporter), ServiceLifecycleStage.Active, Start, StopAsync);

    public void Dispose() => _end.Dispose();

    private Task Start(CancellationToken cancellationToken)
    {
        _running = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    // Requests go elsewhere first, and then what runs does.
    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _end.CancelAsync().ConfigureAwait(false);
        if (cancellationToken.IsCancellationRequested)
            return;                                            // no time is left: callers find out by themselves
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
        grains.GetGrain<IFleetGrain>(0).LeaveAsync(silo.SiloAddress).Ignore();
        await Task.WhenAll(models.Served.Select(model => DrainAsync(model, cancellationToken))).ConfigureAwait(false);
    }

    // Texts that have begun go on on a silo of the same files and version; if this is the last one of them, they end here.
    private async Task DrainAsync(string model, CancellationToken cancellationToken)
    {
        ModelDrain drain = models.DrainOf(model);
        try
        {
            bool canGoOn = await grains.GetGrain<IModelDirectoryGrain>(model).LeaveAsync(silo.SiloAddress)
                .WaitAsync(s_leaving, cancellationToken).ConfigureAwait(false);
            await drain.EndWaitingAsync().ConfigureAwait(false);
            if (!canGoOn)
                await models.UntilUnusedAsync(model, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)                                    // no time is left, or the directory is lost: callers find out by themselves
        {
            CannotDrain(log, model, e);
        }
        await drain.EndAllAsync().ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        try
        {
            foreach (string model in models.Options.Preload)
                await models.LoadAsync(model, log, _end.Token).ConfigureAwait(false);
            while (true)
            {
                string[] served = models.Served;
                await Task.WhenAll(served.Select(ReportAsync).Prepend(ReportModelsAsync(served))).ConfigureAwait(false);
                await Task.Delay(s_pause, _end.Token).ConfigureAwait(false);
                await WaitForChangeAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task WaitForChangeAsync()
    {
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        wait.CancelAfter(models.Options.ReportInterval);
        try
        {
            await models.Changed.ReadAsync(wait.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_end.IsCancellationRequested)
        {
        }
    }

    // They change with the directories alone, so that once in an interval is enough.
    private async Task ReportModelsAsync(string[] served)
    {
        if (_reported is long last && Stopwatch.GetElapsedTime(last) < models.Options.ReportInterval)
            return;
        try
        {
            await grains.GetGrain<IFleetGrain>(0).ReportAsync(silo.SiloAddress, served, models.Options.ReportInterval)
                .WaitAsync(Patience, _end.Token).ConfigureAwait(false);
            _reported = Stopwatch.GetTimestamp();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            CannotReport(log, "all models", e);
        }
    }

    private async Task ReportAsync(string model)
    {
        try
        {
            SiloReport report = await models.ReportAsync(model, silo.SiloAddress, silo.Name, ++_version).ConfigureAwait(false);
            await grains.GetGrain<IModelDirectoryGrain>(model).ReportAsync(report).WaitAsync(Patience, _end.Token).ConfigureAwait(false);
            _refused.TryRemove(model, out _);
        }
        catch (ModelFingerprintException e)
        {
            if (_refused.TryAdd(model, e.Message))
                Refused(log, e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)         // the next report comes in time
        {
            CannotReport(log, model, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Texts of {Model} ran when the silo stopped; they go on only where another silo has the same files.")]
    private static partial void CannotDrain(ILogger log, string model, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private static partial void Refused(ILogger log, string message);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The directory of {Model} could not be told what this silo has; it is tried again.")]
    private static partial void CannotReport(ILogger log, string model, Exception error);
}
