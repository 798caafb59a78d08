namespace ManagedTransformers.Orleans;

/// <summary>Knows on which silos a model is; its key is the model's name.</summary>
internal interface IModelDirectoryGrain : IGrainWithStringKey
{
    /// <summary>Hears what a silo has. Older than what is known: it says nothing.</summary>
    /// <exception cref="ModelFingerprintException">Other silos have other files or another version; this one gets no requests.</exception>
    Task ReportAsync(SiloReport report);

    /// <summary>A silo stops.</summary>
    Task LeaveAsync(SiloAddress silo);

    /// <summary>Chooses the silo of a request.</summary>
    /// <exception cref="UnknownModelException">No silo has the model.</exception>
    /// <exception cref="ModelLoadException">No silo has room for it.</exception>
    /// <exception cref="NoSiloException">None of those that have it can take this request, or not all silos have reported yet.</exception>
    Task<SiloChoice> ChooseAsync(PlacementRequest request);

    /// <summary>The silos, by name.</summary>
    Task<ClusterSilo[]> SilosAsync();

    /// <summary>All that they have reported, by name.</summary>
    Task<DirectoryLine[]> ReportsAsync();
}

/// <summary>It is in memory alone: a directory that was lost is complete again when every silo has reported once.</summary>
internal sealed class ModelDirectoryGrain(ISiloStatusOracle silos, SiloModels models) : Grain, IModelDirectoryGrain
{
    // Intervals after which every silo has reported.
    private const int CompleteAfter = 4;

    // Reports that do not come from a silo that hangs, before it counts as gone.
    private const int MissedReports = 10;

    private readonly Dictionary<SiloAddress, Entry> _entries = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private bool _wasThere;

    public Task ReportAsync(SiloReport report)
    {
        RemoveGone();
        if (silos.IsDeadSilo(report.Silo) || (_entries.TryGetValue(report.Silo, out Entry? known) && known.Report.Version >= report.Version))
            return Task.CompletedTask;
        _wasThere = true;
        Entry? other = _entries.Values.FirstOrDefault(
            entry => entry.Problem is null && !entry.Report.Silo.Equals(report.Silo) && entry.Report.Fingerprint != report.Fingerprint);
        string? problem = other is null ? null : ModelFingerprintException.Say(
            this.GetPrimaryKeyString(), report.Name, report.Fingerprint, other.Report.Name, other.Report.Fingerprint);
        _entries[report.Silo] = new Entry(report, problem);
        return problem is null ? Task.CompletedTask : Task.FromException(new ModelFingerprintException(problem));
    }

    public Task LeaveAsync(SiloAddress silo)
    {
        _entries.Remove(silo);
        return Task.CompletedTask;
    }

    public Task<SiloChoice> ChooseAsync(PlacementRequest request)
    {
        RemoveGone();
        PlacementCandidate[] candidates = [.. _entries.Values.Where(entry => entry.Problem is null).Select(entry => entry.Candidate)];
        if (ModelPlacement.Choose(candidates, request) is not { } choice)
            return Task.FromException<SiloChoice>(Refusal(candidates, request));
        // What is on its way counts before the silo reports it: those that come together and begin alike go together.
        Entry chosen = _entries.Values.Single(entry => entry.Candidate == choice.Silo);
        chosen.Assign(request.Blocks);
        return Task.FromResult(new SiloChoice(
            chosen.Report.Silo, chosen.Report.Fingerprint, chosen.Report.KernelLevel, choice.Reason, choice.Tokens));
    }

    public Task<ClusterSilo[]> SilosAsync()
    {
        RemoveGone();
        return Task.FromResult(_entries.Values.OrderBy(entry => entry.Report.Name, StringComparer.Ordinal).Select(entry => entry.View).ToArray());
    }

    public Task<DirectoryLine[]> ReportsAsync()
    {
        RemoveGone();
        return Task.FromResult(_entries.Values.OrderBy(entry => entry.Report.Name, StringComparer.Ordinal)
            .Select(entry => new DirectoryLine(entry.Report, entry.Problem)).ToArray());
    }

    private ManagedTransformersException Refusal(PlacementCandidate[] candidates, PlacementRequest request)
    {
        string model = this.GetPrimaryKeyString();
        if (Stopwatch.GetElapsedTime(_start) < CompleteAfter * models.Options.ReportInterval)
            return new NoSiloException($"The directory of the model {model} has just begun, and not all silos have reported. Try again in a moment.");
        if (candidates.Length == 0 && _wasThere)
            return new NoSiloException($"No silo with the model {model} is left. Try again later.");
        if (candidates.Length == 0)
            return new UnknownModelException($"No silo of the cluster has a model \"{model}\". Name its directory in ModelHostOptions.Models of a silo.");
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
        foreach ((SiloAddress silo, Entry entry) in _entries)
        {
            if (silos.IsDeadSilo(silo) || Stopwatch.GetElapsedTime(entry.Came) > MissedReports * entry.Report.Interval)
                _entries.Remove(silo);
        }
    }

    private sealed class Entry
    {
        private readonly HashSet<ulong> _prefixes;

        public Entry(SiloReport report, string? problem)
        {
            (Report, Problem, _prefixes) = (report, problem, [.. report.Prefixes]);
            Candidate = new PlacementCandidate(report.Silo.ToParsableString(), report.Fingerprint, report.KernelLevel)
            {
                IsLoaded = report.IsLoaded, Queue = report.Running + report.Waiting, NeededBytes = report.NeededBytes, FreeBytes = report.FreeBytes,
                Prefixes = _prefixes,
            };
        }

        public SiloReport Report { get; }
        public string? Problem { get; }
        public PlacementCandidate Candidate { get; private set; }

        // A clock that cannot jump.
        public long Came { get; } = Stopwatch.GetTimestamp();

        public ClusterSilo View => new(Report.Name, Candidate.Silo, Report.Fingerprint, Report.KernelLevel)
        {
            IsLoaded = Report.IsLoaded, Running = Report.Running, Waiting = Report.Waiting, CachedBlocks = Report.Prefixes.Length, Problem = Problem,
        };

        public void Assign(ulong[] blocks)
        {
            _prefixes.UnionWith(blocks);
            Candidate = Candidate with { IsLoaded = true, Queue = Candidate.Queue + 1 };
        }
    }
}
