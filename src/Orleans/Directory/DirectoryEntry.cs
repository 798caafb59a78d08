namespace ManagedTransformers.Orleans;

/// <summary>What a directory knows of a silo: its last report, and the requests that were sent there since.</summary>
internal sealed class DirectoryEntry
{
    private readonly HashSet<ulong> _prefixes;

    /// <param name="report">The report.</param>
    public DirectoryEntry(SiloReport report)
    {
        (Report, _prefixes) = (report, [.. report.Prefixes]);
        Candidate = new PlacementCandidate(report.Silo.ToParsableString(), report.Fingerprint, report.KernelLevel)
        {
            // Where requests wait for it, it is being loaded: others wait with them, and not for another load.
            IsLoaded = report.IsLoaded || report.Waiting > 0, Queue = report.Running + report.Waiting, Rows = report.Rows, NeededBytes = report.NeededBytes,
            FreeBytes = report.FreeBytes, Prefixes = _prefixes,
        };
    }

    public SiloReport Report { get; }
    public PlacementCandidate Candidate { get; private set; }

    // A clock that cannot jump.
    public long Came { get; } = Stopwatch.GetTimestamp();

    public ClusterSilo View => new(Report.Name, Candidate.Silo, Report.Fingerprint, Report.KernelLevel)
    {
        IsLoaded = Report.IsLoaded, Running = Report.Running, Waiting = Report.Waiting, CachedBlocks = Report.Prefixes.Length,
    };

    /// <summary>A request goes there. It counts before the silo reports it: those that come together and begin alike go together.</summary>
    public void Assign(ulong[] blocks)
    {
        _prefixes.UnionWith(blocks);
        Candidate = Candidate with { IsLoaded = true, Queue = Candidate.Queue + 1 };
    }
}
