using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans;

/// <summary>What a silo does for jobs over corpora, on threads of its own: it computes shards of some, and leads others.</summary>
internal sealed partial class SiloCorpora(SiloModels models, IGrainFactory grains, ILocalSiloDetails silo, ILogger<SiloCorpora> log)
    : ILifecycleParticipant<ISiloLifecycle>, IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<CorpusJobRequest, Task> _working = [];
    private readonly ConcurrentDictionary<CorpusRun, byte> _leading = new();
    private Task? _stopping;

    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(SiloCorpora), ServiceLifecycleStage.Active, _ => Task.CompletedTask, _ => StopAsync());

    /// <summary>Takes part in a job, where it does not.</summary>
    public void Work(CorpusJobRequest request)
    {
        lock (_gate)
        {
            if (!_end.IsCancellationRequested && !_working.ContainsKey(request))
                _working.Add(request, Task.Run(() => WorkAsync(request)));
        }
    }

    /// <summary>A run that this silo leads: it ends with the silo at the latest, and with it the lock of its directory.</summary>
    public void Lead(CorpusRun run)
    {
        _leading.TryAdd(run, 0);
        if (_end.IsCancellationRequested)
            run.Dispose();
    }

    /// <summary>A run is over.</summary>
    public void Leave(CorpusRun run) => _leading.TryRemove(run, out _);

    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _end.Dispose();
    }

    private Task StopAsync()
    {
        lock (_gate)
            return _stopping ??= StopAsync([.. _working.Values]);
    }

    private async Task StopAsync(Task[] working)
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(working).ConfigureAwait(false);
        foreach (CorpusRun run in _leading.Keys)
            run.Dispose();
    }

    private async Task WorkAsync(CorpusJobRequest request)
    {
        ICorpusJobGrain job = grains.GetGrain<ICorpusJobGrain>(request.Directory);
        try
        {
            await new CorpusWorker(request, models, job, silo).RunAsync(_end.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (_end.IsCancellationRequested || e is EngineBusyException || SiloFailures.IsOfSilo(e))
        {
            // The silo stops; or it is asked again in a moment.
        }
        catch (Exception e)
        {
            if (e is not UnknownModelException)
                CannotWork(log, request.Task, request.Input, e);
            await RefuseAsync(job, request, e).ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
                _working.Remove(request);
        }
    }

    private async Task RefuseAsync(ICorpusJobGrain job, CorpusJobRequest request, Exception error)
    {
        try
        {
            await job.RefuseAsync(request, silo.SiloAddress, silo.Name, error.Message, error is UnknownModelException).ConfigureAwait(false);
        }
        catch (Exception e) when (SiloFailures.IsOfSilo(e))
        {
            // It is asked again, and says it again.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "This silo cannot take part in the job that is to {Task} {Input}.")]
    private static partial void CannotWork(ILogger log, string task, string input, Exception error);
}
