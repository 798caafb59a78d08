namespace ManagedTransformers.Orleans;

/// <summary>A run of a job: which silos take part, and who has which shard. What is done are the files; the rest is here alone, and a run that is lost with its
/// silo begins anew on another one. Its grain makes one call at a time.</summary>
internal sealed class CorpusRun : IProgress<CorpusProgress>, IDisposable
{
    // For silos to come before it is said what is computed, where not all have answered; with a manifest that none of them agrees with, the longer one.
    private static readonly TimeSpan s_gathering = TimeSpan.FromSeconds(3), s_longGathering = TimeSpan.FromSeconds(30);

    // A worker that says nothing for so long has lost its shard.
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(30);

    // The lock of a machine that is lost stays as long as its file system thinks.
    private static readonly TimeSpan s_lock = TimeSpan.FromMinutes(2);

    private readonly string _host;
    private readonly bool _overwrite, _isFirst;
    private readonly CancellationTokenSource _end = new();
    private readonly Task<CorpusInput> _reading;
    private readonly Dictionary<SiloAddress, (CorpusSilo Silo, long Heard)> _silos = [];
    private readonly Dictionary<SiloAddress, Refusal> _refused = [];
    private CorpusInputView? _view;
    private Task<CorpusLedger>? _opening;
    private CorpusSilo? _leader;                           // whose settings are the job's
    private CorpusLedger? _ledger;
    private CorpusClaims? _claims;                         // from when there is a ledger
    private CorpusException? _failure;
    private CorpusTotals? _totals;
    private long _read, _firstHeard;
    private bool _isEnded;

    /// <summary>Begins to read the input.</summary>
    /// <param name="request">The job.</param>
    /// <param name="host">The silo that this is on.</param>
    /// <param name="overwrite">Whether another job's results are removed.</param>
    /// <param name="isFirst">Whether nobody has seen the job run: who holds the directory's lock is then another process.</param>
    public CorpusRun(CorpusJobRequest request, string host, bool overwrite, bool isFirst)
    {
        (Request, _host, _overwrite, _isFirst) = (request, host, overwrite, isFirst);
        _reading = Task.Run(Read);
    }

    /// <summary>The job.</summary>
    public CorpusJobRequest Request { get; }

    /// <summary>Whether it is complete, failed, or was ended.</summary>
    public bool IsOver => _isEnded || _totals is not null || _failure is not null;

    /// <summary>Where it is.</summary>
    /// <exception cref="CorpusException">It failed.</exception>
    public CorpusJobStatus Status
    {
        get
        {
            if (_failure is not null)
                throw new CorpusException(_failure.Message);
            CorpusProgress progress = _claims?.Progress ?? new CorpusProgress(0, 0, Interlocked.Read(ref _read), _view?.Length ?? 0, 0, null);
            return new CorpusJobStatus
            {
                IsReading = _ledger is null, Fingerprint = _ledger?.Fingerprint, ToCompute = _ledger?.ToCompute ?? 0,
                Counts = [progress.Texts, progress.SetAside, progress.Bytes, progress.TotalBytes],
                TextsPerSecond = progress.TextsPerSecond, Remaining = progress.Remaining,
                Totals = _totals is CorpusTotals totals ? [totals.Shards, totals.Texts, totals.SetAside] : null,
                Refused = [.. _refused.Values.Where(one => !one.IsSilent).Select(one => one.ToString()).Order(StringComparer.Ordinal)],
            };
        }
    }

    /// <summary>Whether a silo is to be asked to take part.</summary>
    public bool Wants(SiloAddress silo) => !IsOver && !_refused.ContainsKey(silo) && !_silos.ContainsKey(silo);

    /// <summary>A silo takes no part.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="name">Its name.</param>
    /// <param name="reason">Why.</param>
    /// <param name="isSilent">Whether that is nothing to be told of: it does not have this model.</param>
    public void Refuse(SiloAddress silo, string name, string reason, bool isSilent)
    {
        _refused[silo] = new Refusal(name, reason, isSilent);
        Forget(silo);
    }

    /// <summary>Goes on as far as it can.</summary>
    /// <param name="active">The silos of the cluster.</param>
    public void Step(IReadOnlyCollection<SiloAddress> active)
    {
        if (IsOver)
            return;
        foreach (SiloAddress silo in _silos.Where(one => !active.Contains(one.Key) || Stopwatch.GetElapsedTime(one.Value.Heard) > s_silence)
            .Select(one => one.Key).ToArray())
            Forget(silo);
        if (_reading.IsFaulted)
            Fail(_reading.Exception!.InnerException!);
        else if (active.Count > 0 && active.All(_refused.ContainsKey))
            Fail(new CorpusException($"No silo can do the job. {string.Join(' ', _refused.Values)}"));
        else if (_opening is null && _reading.IsCompleted && ChooseLeader(active) is CorpusSilo leader)
            _opening = Task.Run(() => OpenAsync(leader));
        else if (_opening is { IsFaulted: true })
            Fail(_opening.Exception!.InnerException!);
        else if (_opening is { IsCompletedSuccessfully: true } && _ledger is null)
            Begin(_opening.Result);
    }

    /// <inheritdoc cref="ICorpusJobGrain.ClaimAsync"/>
    public CorpusAnswer Claim(CorpusSilo silo, Guid worker)
    {
        if (IsOver || !Hear(silo))
            return new CorpusAnswer(CorpusOrder.End);
        CorpusClaim? claim = _claims?.Give(silo.Silo, worker);
        return new CorpusAnswer(claim is null ? CorpusOrder.Wait : CorpusOrder.Compute, claim);
    }

    /// <inheritdoc cref="ICorpusJobGrain.ReportAsync"/>
    public CorpusOrder Report(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts) =>
        OrderFor(silo, claim) ?? (_claims!.Note(silo.Silo, claim, counts.Read()) ? CorpusOrder.Compute : CorpusOrder.End);

    /// <inheritdoc cref="ICorpusJobGrain.CompleteAsync"/>
    public CorpusOrder Complete(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts, string results, string? poison)
    {
        if (OrderFor(silo, claim) is CorpusOrder order)
            return order;
        string path = PathOf(results);
        if (!_ledger!.IsDone(claim.Number) && (new FileInfo(path) is not { Exists: true } file || file.Length != counts.Bytes))
        {
            Refuse(silo.Silo, silo.Name, $"It wrote {path}, which {_host} does not see: {Request.Directory} is not one directory for both.", isSilent: false);
            return CorpusOrder.End;
        }
        try
        {
            _claims!.Complete(claim, counts.Read(), path, poison is null ? null : PathOf(poison));
            if (_ledger.IsComplete)
                Finish();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Fail(e);
        }
        return CorpusOrder.Compute;
    }

    /// <inheritdoc cref="ICorpusJobGrain.ReleaseAsync"/>
    public void Release(CorpusClaim claim) => _claims?.Release(claim);

    void IProgress<CorpusProgress>.Report(CorpusProgress value) => Interlocked.Exchange(ref _read, value.Bytes);

    /// <summary>Ends it, and lets others work in the directory.</summary>
    public void Dispose()
    {
        _isEnded = true;
        _end.Cancel();
        _ledger?.Dispose();
        _ = _opening?.ContinueWith(opened => opened.Result.Dispose(), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private CorpusInput Read()
    {
        CorpusDirectory.RequireOutside(Request.Input, Request.Directory);
        Volatile.Write(ref _view, CorpusInputView.Of(CorpusFile.At(Request.Input)));
        return CorpusInput.Read(Request.Input, Request.ShardBytes, this, _end.Token);
    }

    // What a manifest says is computed; else what most silos would compute, of equals the first by name.
    private CorpusSilo? ChooseLeader(IReadOnlyCollection<SiloAddress> active)
    {
        if (_silos.Count == 0)
            return null;
        (string Name, string? Value)[]? noted = _overwrite ? null : CorpusDirectory.PartsIn(Request.Directory);
        CorpusSilo[] best = _silos.Values.Select(one => one.Silo).GroupBy(silo => CorpusManifest.FingerprintOf(silo.Settings))
            .Select(same => same.OrderBy(silo => silo.Name, StringComparer.Ordinal).ToArray())
            .OrderByDescending(same => IsNoted(same[0])).ThenByDescending(same => same.Length).ThenBy(same => same[0].Name, StringComparer.Ordinal).First();
        TimeSpan waited = Stopwatch.GetElapsedTime(_firstHeard);
        bool areAll = active.All(silo => _silos.ContainsKey(silo) || _refused.ContainsKey(silo));
        return areAll || waited > (noted is null || IsNoted(best[0]) ? s_gathering : s_longGathering) ? best[0] : null;

        bool IsNoted(CorpusSilo silo) => noted is not null && silo.Settings.All(noted.Contains);
    }

    private async Task<CorpusLedger> OpenAsync(CorpusSilo leader)
    {
        CorpusInput input = await _reading.ConfigureAwait(false);
        long began = Stopwatch.GetTimestamp();
        Volatile.Write(ref _leader, leader);
        while (true)
        {
            try
            {
                return CorpusLedger.Open(input, leader.Settings, leader.ModelId, Request.Directory, Request.CorpusOptions with { Overwrite = _overwrite });
            }
            catch (CorpusException e) when (e.InnerException is IOException && !_isFirst && Stopwatch.GetElapsedTime(began) < s_lock)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), _end.Token).ConfigureAwait(false);
            }
        }
    }

    private void Begin(CorpusLedger ledger)
    {
        (_ledger, _claims) = (ledger, new CorpusClaims(ledger));
        foreach ((CorpusSilo silo, _) in _silos.Values.ToArray())
            Hear(silo);                                    // refuses those that would compute something else
        if (ledger.IsComplete)
            Finish();
    }

    private bool Hear(CorpusSilo silo)
    {
        if (_refused.ContainsKey(silo.Silo))
            return false;
        CorpusInputView? view = Volatile.Read(ref _view);
        string? problem = view is not null && view != silo.Input
            ? $"It sees another {Request.Input}: {silo.Input}; on {_host} that is {view}. Let all silos see one file."
            : _ledger is not null && CorpusManifest.Difference(_leader!.Settings, silo.Settings) is { Length: > 0 } difference
            ? $"It would give other bits than the job has: {difference}. Give all silos the same version, files and kernel level."
            : null;
        if (problem is not null)
        {
            Refuse(silo.Silo, silo.Name, problem, isSilent: false);
            return false;
        }
        _silos[silo.Silo] = (silo, Stopwatch.GetTimestamp());
        if (_firstHeard == 0)
            _firstHeard = Stopwatch.GetTimestamp();
        return true;
    }

    /// <summary>What a worker with a shard hears where it cannot be its own; null: it may be.</summary>
    private CorpusOrder? OrderFor(CorpusSilo silo, CorpusClaim claim) =>
        IsOver || !Hear(silo) ? CorpusOrder.End
        : _ledger is null ? CorpusOrder.Wait
        : claim.Fingerprint != _ledger.Fingerprint ? CorpusOrder.End
        : null;

    // Only names in the directory, whatever a silo says.
    private string PathOf(string name) => Path.Combine(_ledger!.Directory, Path.GetFileName(name));

    private void Forget(SiloAddress silo)
    {
        _silos.Remove(silo);
        _claims?.Forget(silo);
    }

    private void Finish()
    {
        _ledger!.Save();
        _totals = _ledger.Totals;
        _ledger.Dispose();
    }

    private void Fail(Exception error)
    {
        _failure = error as CorpusException ?? new CorpusException($"The silo {_host}, which leads the job, cannot go on: {error.Message} All silos need " +
            "the input and the output directory, under the same paths.", error);
        Dispose();
    }

    private sealed record Refusal(string Name, string Reason, bool IsSilent)
    {
        public override string ToString() => $"{Name}: {Reason}";
    }
}
