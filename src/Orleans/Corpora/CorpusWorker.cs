namespace ManagedTransformers.Orleans;

/// <summary>A silo's part in one job: asks for shards, computes them, writes their files, and has them named.</summary>
internal sealed class CorpusWorker(CorpusJobRequest request, SiloModels models, ICorpusJobGrain job, ILocalSiloDetails silo)
{
    // A job that nobody knows for so long was ended.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_report = TimeSpan.FromSeconds(1), s_pause = TimeSpan.FromSeconds(0.25);

    private CorpusSilo _silo = null!;
    private ShardWriter _writer = null!;

    /// <summary>Works until there is nothing to do.</summary>
    /// <exception cref="ManagedTransformersException">This silo cannot do it: it has not the model, sees other files, cannot write, …</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ModelLease lease = await models.AcquireAsync(request.Model, end.Token).ConfigureAwait(false);
        try
        {
            if (lease.Files.Difference() is string changed)
                throw new CorpusException($"It has the model {request.Model} in memory from files that have changed since: {changed}. Start it again.");
            CorpusTask task = CorpusTaskJson.Open(request, lease, out IDisposable? own);
            using (own)
            {
                (CorpusFile input, CorpusInputView view) = OnFiles(() =>
                {
                    CorpusFile file = CorpusFile.At(request.Input);
                    return (file, CorpusInputView.Of(file));
                });
                _silo = new CorpusSilo
                {
                    Silo = silo.SiloAddress, Name = silo.Name, Request = request, ModelId = task.ModelId, Settings = [.. task.Settings()],
                    Input = view,
                };
                _writer = new ShardWriter(input, task, request.CorpusOptions, request.Directory);
                await Task.WhenAll(Enumerable.Range(0, request.Workers).Select(_ => WorkAsync(end))).ConfigureAwait(false);
            }
        }
        finally
        {
            models.Release(lease);
        }
    }

    private async Task WorkAsync(CancellationTokenSource end)
    {
        var worker = Guid.NewGuid();
        try
        {
            while (true)
            {
                CorpusAnswer answer = await AskAsync(() => job.ClaimAsync(_silo, worker), one => one.Order, end.Token).ConfigureAwait(false);
                if (answer.Claim is not CorpusClaim claim)
                    return;
                await ComputeAsync(claim, end.Token).ConfigureAwait(false);
            }
        }
        catch
        {
            await end.CancelAsync().ConfigureAwait(false);                         // the other workers of this silo
            throw;
        }
    }

    private async Task ComputeAsync(CorpusClaim claim, CancellationToken end)
    {
        using var dropped = CancellationTokenSource.CreateLinkedTokenSource(end);
        try
        {
            RequireSameDirectory(claim);
            var counter = new Counter();
            Task<WrittenShard> writing = Task.Factory.StartNew(() => OnFiles(() => _writer.Write(claim.Shard, counter.Add, dropped.Token)),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Task reporting = ReportAsync(claim, counter, writing, dropped);
            using WrittenShard written = await writing.ConfigureAwait(false);
            await reporting.ConfigureAwait(false);
            await AskAsync(() => job.CompleteAsync(_silo, claim, CorpusCounts.Of(written.Counts), Path.GetFileName(written.ResultsPath),
                Path.GetFileName(written.PoisonPath)), order => order, end).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (dropped.IsCancellationRequested && !end.IsCancellationRequested)
        {
            // Another one has the shard.
        }
        catch
        {
            job.ReleaseAsync(claim).Ignore();
            throw;
        }
    }

    // Reports while the shard is computed, and ends that where it is no longer this worker's. Calls that fail say nothing: the job may be moving.
    private async Task ReportAsync(CorpusClaim claim, Counter counter, Task writing, CancellationTokenSource dropped)
    {
        while (await Task.WhenAny(writing, Task.Delay(s_report, CancellationToken.None)).ConfigureAwait(false) != writing)
        {
            try
            {
                if (await job.ReportAsync(_silo, claim, CorpusCounts.Of(counter.Sum)).WaitAsync(dropped.Token).ConfigureAwait(false) == CorpusOrder.End)
                    await dropped.CancelAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (SiloFailures.IsOfSilo(e))
            {
            }
        }
    }

    // Until there is an answer; a job that moves to another silo reads its input again there.
    private static async Task<T> AskAsync<T>(Func<Task<T>> ask, Func<T, CorpusOrder> orderOf, CancellationToken end)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                T answer = await ask().WaitAsync(end).ConfigureAwait(false);
                CorpusOrder order = orderOf(answer);
                if (order == CorpusOrder.Wait)
                    began = Stopwatch.GetTimestamp();
                else if (order != CorpusOrder.Unknown || Stopwatch.GetElapsedTime(began) > s_patience)
                    return answer;
            }
            catch (Exception e) when (SiloFailures.IsOfSilo(e) && !end.IsCancellationRequested && Stopwatch.GetElapsedTime(began) < s_patience)
            {
            }
            await Task.Delay(s_pause, end).ConfigureAwait(false);
        }
    }

    // A directory of the same name on a disk of its own would take files that nobody finds.
    private void RequireSameDirectory(CorpusClaim claim)
    {
        string? there = OnFiles(() => CorpusDirectory.PartsIn(request.Directory)) is { } parts ? CorpusManifest.FingerprintOf(parts) : null;
        if (there != claim.Fingerprint)
            throw new CorpusException($"In {request.Directory} it sees {(there is null ? "no job" : $"a job with the fingerprint {there}")}; that of this " +
                $"one is {claim.Fingerprint}. Let all silos see one directory.");
    }

    // As opposed to the IOException of a call to a silo that is lost.
    private static T OnFiles<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CorpusException(e.Message, e);
        }
    }

    /// <summary>What of a shard is done.</summary>
    private sealed class Counter
    {
        private readonly Lock _gate = new();
        private ShardCounts _sum;

        public ShardCounts Sum
        {
            get
            {
                lock (_gate)
                    return _sum;
            }
        }

        public void Add(ShardCounts chunk)
        {
            lock (_gate)
                _sum += chunk;
        }
    }
}
