using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans;

/// <summary>Knows on which silos a model is; its key is the model's name.</summary>
internal interface IModelDirectoryGrain : IGrainWithStringKey
{
    /// <summary>Hears what a silo has. Older than what is known: it says nothing.</summary>
    /// <exception cref="ModelFingerprintException">More silos have other files or another version; this one gets no new requests.</exception>
    Task ReportAsync(SiloReport report);

    /// <summary>A silo stops.</summary>
    /// <returns>Whether its texts can go on on another one.</returns>
    Task<bool> LeaveAsync(SiloAddress silo);

    /// <summary>Chooses the silo of a request.</summary>
    /// <exception cref="UnknownModelException">No silo has the model.</exception>
    /// <exception cref="ModelLoadException">No silo has room for it.</exception>
    /// <exception cref="NoSiloException">None of those that have it can take this request, or not all silos have reported yet.</exception>
    Task<SiloChoice> ChooseAsync(PlacementRequest request);

    /// <summary>The silos, by name.</summary>
    Task<ClusterSilo[]> SilosAsync();

    /// <summary>All that they have reported.</summary>
    Task<DirectoryReports> ReportsAsync();
}

/// <summary>It is in memory alone: a directory that was lost is complete again when every silo has reported once.</summary>
/// <remarks>Of silos with different files or versions, those get new requests that are the most; of equally many, those that had them. A text that has begun
/// stays with its version, whichever that is.</remarks>
[GrainType(StandingFilter.GrainTypes + "directory"), KeepAlive]
internal sealed partial class ModelDirectoryGrain(ISiloStatusOracle silos, SiloModels models, ILogger<ModelDirectoryGrain> log) : Grain, IModelDirectoryGrain
{
    // Intervals after which every silo has reported that is not busy beyond measure.
    private const int CompleteAfter = 4;

    // A silo that was told to load the model and has not by then is not waited for any more.
    private static readonly TimeSpan s_longestLoad = TimeSpan.FromMinutes(2);

    private readonly Dictionary<SiloAddress, DirectoryEntry> _entries = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private string? _served;                                                       // the fingerprint that gets new requests
    private bool _wasThere;
    private (SiloAddress Silo, long Since)? _loading;

    // A silo that has not reported would be gone as well.
    private bool HasHeardAll => Stopwatch.GetElapsedTime(_start) >= LostSilos.Patience(models.Options.ReportInterval);

    public Task ReportAsync(SiloReport report)
    {
        RemoveGone();
        if (silos.IsDeadSilo(report.Silo) || (_entries.TryGetValue(report.Silo, out DirectoryEntry? known) && known.Report.Version >= report.Version))
            return Task.CompletedTask;
        _wasThere = true;
        _entries[report.Silo] = new DirectoryEntry(report);
        Settle();
        return ProblemOf(report) is string problem ? Task.FromException(new ModelFingerprintException(problem)) : Task.CompletedTask;
    }

    public Task<bool> LeaveAsync(SiloAddress silo)
    {
        RemoveGone();
        if (!_entries.Remove(silo, out DirectoryEntry? left))
            return Task.FromResult(false);                                         // who else is there is not known either
        Settle();
        return Task.FromResult(_entries.Values.Any(
            entry => (entry.Report.Fingerprint, entry.Report.KernelLevel) == (left.Report.Fingerprint, left.Report.KernelLevel)));
    }

    public Task<SiloChoice> ChooseAsync(PlacementRequest request)
    {
        RemoveGone();
        PlacementCandidate[] candidates = CandidatesOf(request.Fingerprint ?? _served);
        if (ModelPlacement.Choose(candidates, request) is not { } choice)
            return Task.FromException<SiloChoice>(Refusal(candidates, request));
        DirectoryEntry chosen = _entries.Values.Single(entry => entry.Candidate == choice.Silo);
        chosen.Assign(request.Blocks);
        Spread();
        return Task.FromResult(new SiloChoice(
            chosen.Report.Silo, chosen.Report.Fingerprint, chosen.Report.KernelLevel, choice.Reason, choice.Tokens));
    }

    public Task<ClusterSilo[]> SilosAsync()
    {
        RemoveGone();
        return Task.FromResult(_entries.Values.OrderBy(entry => entry.Report.Name, StringComparer.Ordinal)
            .Select(entry => entry.View with { Problem = ProblemOf(entry.Report) }).ToArray());
    }

    public Task<DirectoryReports> ReportsAsync()
    {
        RemoveGone();
        return Task.FromResult(new DirectoryReports([.. _entries.Values.OrderBy(entry => entry.Report.Name, StringComparer.Ordinal)
            .Select(entry => new DirectoryLine(entry.Report, ProblemOf(entry.Report)))], HasHeardAll));
    }

    private PlacementCandidate[] CandidatesOf(string? fingerprint) =>
        [.. _entries.Values.Where(entry => entry.Report.Fingerprint == fingerprint).Select(entry => entry.Candidate)];

    // Where all that have the model are full, another silo begins to load it, one at a time. Requests go there once it is loaded.
    private void Spread()
    {
        if (_loading is (SiloAddress silo, long since) && _entries.TryGetValue(silo, out DirectoryEntry? loading) && !loading.Candidate.IsLoaded
            && Stopwatch.GetElapsedTime(since) < s_longestLoad)
        {
            return;
        }
        _loading = null;
        if (ModelPlacement.Spread(CandidatesOf(_served)) is not PlacementCandidate roomy)
            return;
        SiloAddress chosen = _entries.Values.Single(entry => entry.Candidate == roomy).Report.Silo;
        _loading = (chosen, Stopwatch.GetTimestamp());
        ModelPlacementDirector.SendTo(chosen);
        GrainFactory.GetGrain<IGenerationGrain>(Guid.NewGuid()).LoadAsync(this.GetPrimaryKeyString()).Ignore();
    }

    private ManagedTransformersException Refusal(PlacementCandidate[] candidates, PlacementRequest request)
    {
        string model = this.GetPrimaryKeyString();
        // That there is no such model is said late: nobody asks again.
        bool isUnknown = candidates.Length == 0 && !_wasThere;
        if (isUnknown ? !HasHeardAll : Stopwatch.GetElapsedTime(_start) < CompleteAfter * models.Options.ReportInterval)
            return new NoSiloException($"The directory of the model {model} has just begun, and not all silos have reported. Try again in a moment.");
        if (isUnknown)
            return new UnknownModelException($"No silo of the cluster has a model \"{model}\". Name its directory in ModelHostOptions.Models of a silo.");
        if (candidates.Length == 0)
            return new NoSiloException($"No silo with the model {model} is left. Try again later.");
        if (candidates.All(silo => !silo.IsLoaded && silo.NeededBytes > silo.FreeBytes))
        {
            PlacementCandidate best = candidates.MaxBy(silo => silo.FreeBytes)!;
            return new ModelLoadException($"No silo has room for the model {model}: it needs {best.NeededBytes} bytes, and of {candidates.Length} silos " +
                $"{best.Silo} has the most, {best.FreeBytes}. Raise MemoryBytes, or try again later.");
        }
        return new NoSiloException($"None of {candidates.Length} silos with the model {model} can take this request. It failed on: " +
            $"{string.Join(", ", request.Excluded)}; its text began with fingerprint {request.Fingerprint ?? "(any)"} at kernel level " +
            $"{request.KernelLevel ?? "(any)"}. Try again later.");
    }

    private void RemoveGone()
    {
        foreach ((SiloAddress silo, DirectoryEntry entry) in _entries)
        {
            if (silos.IsGone(silo, entry.Came, entry.Report.Interval))
                _entries.Remove(silo);
        }
        Settle();
    }

    private void Settle()
    {
        IGrouping<string, DirectoryEntry>[] versions =
            [.. _entries.Values.GroupBy(entry => entry.Report.Fingerprint).OrderByDescending(version => version.Count())];
        if (versions.Length == 0 || versions.Any(version => version.Key == _served && version.Count() == versions[0].Count()))
            return;
        (string? before, _served, int most) = (_served, versions[0].Key, versions[0].Count());
        string model = this.GetPrimaryKeyString();
        if (before is not null)
            Moves(log, model, before, _served, most);
    }

    private string? ProblemOf(SiloReport report) => report.Fingerprint == _served ? null : ModelFingerprintException.Say(
        this.GetPrimaryKeyString(), report.Name, report.Fingerprint, _entries.Values.First(entry => entry.Report.Fingerprint == _served).Report.Name, _served!);

    [LoggerMessage(Level = LogLevel.Information, Message = "New requests for {Model} go to the fingerprint {Now} in place of {Before}: {Silos} silos have it.")]
    private static partial void Moves(ILogger log, string model, string before, string now, int silos);
}
