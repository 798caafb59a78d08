using Orleans.Placement;

namespace ManagedTransformers.Orleans;

/// <summary>A job; its key is the output directory. It is one at a time in the world: whoever works in the directory holds its lock.</summary>
internal interface ICorpusJobGrain : IGrainWithStringKey
{
    /// <summary>Starts a job where it does not run, and says where it is. It runs while somebody asks.</summary>
    /// <param name="request">The job.</param>
    /// <param name="watcher">Who asks.</param>
    /// <param name="isFirst">Whether who asks has not seen it run.</param>
    /// <param name="overwrite">Whether another job's results are removed; only the first call of its caller may ask for it.</param>
    /// <exception cref="CorpusException">It cannot be done, or another job runs in the directory.</exception>
    Task<CorpusJobStatus> WatchAsync(CorpusJobRequest request, Guid watcher, bool isFirst, bool overwrite);

    /// <summary>A caller asks no more; with the last one the job ends.</summary>
    Task EndAsync(Guid watcher);

    /// <summary>A worker wants a shard.</summary>
    Task<CorpusAnswer> ClaimAsync(CorpusSilo silo, Guid worker);

    /// <summary>A worker says how far it is with a shard.</summary>
    Task<CorpusOrder> ReportAsync(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts);

    /// <summary>A worker has written the files of a shard; this gives them their names.</summary>
    /// <param name="silo">The worker's silo.</param>
    /// <param name="claim">The shard.</param>
    /// <param name="counts">What the files have.</param>
    /// <param name="results">The temporary name of the results.</param>
    /// <param name="poison">That of the lines that were set aside; null: there are none.</param>
    Task<CorpusOrder> CompleteAsync(CorpusSilo silo, CorpusClaim claim, CorpusCounts counts, string results, string? poison);

    /// <summary>A worker lets go of a shard.</summary>
    [OneWay]
    Task ReleaseAsync(CorpusClaim claim);

    /// <summary>A silo takes no part.</summary>
    /// <param name="request">The job.</param>
    /// <param name="silo">The silo.</param>
    /// <param name="name">Its name.</param>
    /// <param name="reason">Why.</param>
    /// <param name="isSilent">Whether callers need not be told: it does not have the model.</param>
    Task RefuseAsync(CorpusJobRequest request, SiloAddress silo, string name, string reason, bool isSilent);
}

/// <summary>A silo's part in jobs. It is sent to the silo.</summary>
internal interface ICorpusWorkerGrain : IGrainWithStringKey
{
    /// <summary>Has the silo take part, where it does not.</summary>
    Task WorkAsync(CorpusJobRequest request);
}

/// <inheritdoc/>
[GrainType(StandingFilter.GrainTypes + "corpus-worker"), ModelPlacement, Immovable, KeepAlive]
internal sealed class CorpusWorkerGrain(SiloCorpora corpora) : Grain, ICorpusWorkerGrain
{
    public Task WorkAsync(CorpusJobRequest request)
    {
        DeactivateOnIdle();
        corpora.Work(request);
        return Task.CompletedTask;
    }
}
