namespace ManagedTransformers.Orleans;

/// <inheritdoc cref="ICorpusJobGrain"/>
/// <remarks>It has a <see cref="CorpusRun"/>, which is lost with its silo; the next call of the caller, or of a worker of it, begins another one.</remarks>
[GrainType(StandingFilter.GrainTypes + "corpus-job"), KeepAlive]
internal sealed class CorpusJobGrain(ISiloStatusOracle silos, ILocalSiloDetails own, IGrainFactory grains, SiloCorpora corpora)
    : Grain, ICorpusJobGrain, IDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromSeconds(0.5);

    // A job whose callers have not asked for so long ends.
    private static readonly TimeSpan s_unwatched = TimeSpan.FromSeconds(30);

    private readonly Dictionary<Guid, long> _watchers = [];
    private CorpusRun? _run;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(TickAsync, s_tick, s_tick);
        return Task.CompletedTask;
    }

    /// <summary>At the end of the activation: another one may have the directory.</summary>
    public void Dispose() => Close();

    public Task<CorpusJobStatus> WatchAsync(CorpusJobRequest request, Guid watcher, bool isFirst, bool overwrite)
    {
        bool isKnown = _watchers.ContainsKey(watcher);
        if (_run is { IsOver: true } && !isKnown)
            Close();
        if (_run is not null && _run.Request != request)
            throw new CorpusException($"The silo {own.Name} runs another job in {request.Directory}: {_run.Request.Task} with {_run.Request.Model} of " +
                $"{_run.Request.Input}. Wait until it ends, or choose another directory.");
        if (_run is not null && overwrite && !isKnown)
            throw new CorpusException($"This job runs in {request.Directory} for another caller, and its results are to be replaced. End it first.");
        if (_run is null)
        {
            _run = new CorpusRun(request, own.Name, overwrite, isFirst);
            corpora.Lead(_run);
            Invite();
        }
        _watchers[watcher] = Stopwatch.GetTimestamp();
        Step();
        return Task.FromResult(_run.Status);
    }

    public Task EndAsync(Guid watcher)
    {
        _watchers.Remove(watcher);
        if (_watchers.Count == 0)
            _run?.Dispose();
        return Task.CompletedTask;
    }

    public Task<CorpusAnswer> ClaimAsync(CorpusSilo silo, Guid worker)
    {
        if (OrderFor(silo) is CorpusOrder order)
            return Task.FromResult(new CorpusAnswer(order));
        Step();
        return Task.FromResult(_run!.Claim(silo, worker));
    }

    public Task<CorpusOrder> ReportAsync(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts) =>
        Task.FromResult(OrderFor(silo) ?? _run!.Report(silo, claim, counts));

    public async Task<CorpusOrder> CompleteAsync(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts, string results, string? poison) =>
        OrderFor(silo) ?? await Task.Run(() => _run!.Complete(silo, claim, counts, results, poison));          // it waits for the disk

    public Task ReleaseAsync(CorpusClaim claim)
    {
        _run?.Release(claim);
        return Task.CompletedTask;
    }

    public Task RefuseAsync(CorpusJobRequest request, SiloAddress silo, string name, string reason, bool isSilent)
    {
        if (_run?.Request == request)
            _run.Refuse(silo, name, reason, isSilent);
        return Task.CompletedTask;
    }

    private CorpusOrder? OrderFor(CorpusSilo silo) =>
        _run is null ? CorpusOrder.Unknown : _run.Request != silo.Request ? CorpusOrder.End : null;

    private Task TickAsync(CancellationToken cancellationToken)
    {
        foreach ((Guid watcher, long seen) in _watchers)
        {
            if (Stopwatch.GetElapsedTime(seen) > s_unwatched)
                _watchers.Remove(watcher);
        }
        if (_watchers.Count == 0)
        {
            _run?.Dispose();
            DeactivateOnIdle();
        }
        Step();
        Invite();
        return Task.CompletedTask;
    }

    private Dictionary<SiloAddress, SiloStatus>.KeyCollection ActiveSilos() => silos.GetApproximateSiloStatuses(onlyActive: true).Keys;

    private void Step() => _run?.Step(ActiveSilos());

    private void Invite()
    {
        if (_run is not { IsOver: false })
            return;
        foreach (SiloAddress silo in ActiveSilos().Where(_run.Wants))
            InviteAsync(_run.Request, silo).Ignore();
    }

    private async Task InviteAsync(CorpusJobRequest request, SiloAddress silo)
    {
        ModelPlacementDirector.SendTo(silo);
        try
        {
            await grains.GetGrain<ICorpusWorkerGrain>($"{this.GetPrimaryKeyString()} {silo.ToParsableString()}").WorkAsync(request);
        }
        catch (SiloUnavailableException e)                 // one without models, or that has just left
        {
            string known = silos.TryGetSiloName(silo, out string? name) ? name : silo.ToString();
            await this.AsReference<ICorpusJobGrain>().RefuseAsync(request, silo, known, e.Message, isSilent: true);          // a turn of its own
        }
    }

    private void Close()
    {
        if (_run is not null)
            corpora.Leave(_run);
        _run?.Dispose();
        _run = null;
        _watchers.Clear();
    }
}
