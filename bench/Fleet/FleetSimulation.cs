using ManagedTransformers.Models;
using ManagedTransformers.Orleans;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Bench;

/// <summary>A fleet to simulate.</summary>
internal sealed record FleetSettings
{
    public required StepTimes Times { get; init; }

    public int Silos { get; init; } = 1;

    /// <summary>As <see cref="FleetPlacement.Of"/> takes it.</summary>
    public string Placement { get; init; } = FleetPlacement.Prefix;

    public GenerationEngineOptions Engine { get; init; } = new();

    /// <summary>Tokens whose keys and values a silo has room for.</summary>
    public int CacheTokens { get; init; } = 25_600;

    /// <summary>As <see cref="ModelSiloOptions.MaxReportedBlocks"/>.</summary>
    public int ReportedBlocks { get; init; } = 1024;

    /// <summary>As <see cref="ModelSiloOptions.ReportInterval"/>, in seconds.</summary>
    public double ReportInterval { get; init; } = 1;

    /// <summary>Seconds that a message takes.</summary>
    public double Hop { get; init; } = 0.0005;

    /// <summary>What random placement draws from.</summary>
    public int Seed { get; init; } = 1;
}

/// <summary>A fleet in one thread and in virtual time: requests ask the directory, go to silos, and silos report. Same trace, same result.</summary>
internal sealed class FleetSimulation
{
    // What still runs when the trace has ended is followed so long.
    private const double Rest = 30;

    // SiloReporter makes one report of changes that come within this time.
    private const double Pause = 0.02;

    private readonly FleetSettings _settings;
    private readonly FleetPlacement _placement;
    private readonly SimulatedSilo[] _silos;
    private readonly DirectoryEntry[] _entries;
    private readonly double[] _lastReport;
    private readonly bool[] _reportIsDue;
    private readonly PriorityQueue<Action, (double Time, long Order)> _events = new();
    private readonly int _vocabulary;
    private double _now;
    private long _order;

    private FleetSimulation(FleetSettings settings, TextGenerator model)
    {
        _settings = settings;
        _vocabulary = model.Model.Config.VocabSize;
        _placement = FleetPlacement.Of(settings.Placement, settings.Seed);
        _silos = [.. Enumerable.Range(0, settings.Silos).Select(i => new SimulatedSilo(i, model, settings))];
        _entries = [.. _silos.Select(silo => new DirectoryEntry(silo.Report(settings)))];
        _lastReport = new double[_silos.Length];
        _reportIsDue = new bool[_silos.Length];
    }

    /// <summary>Follows the requests of a trace, and what still runs at its end for half a minute.</summary>
    /// <param name="settings">The fleet.</param>
    /// <param name="trace">What it is asked for, in the order of time.</param>
    /// <param name="model">As <see cref="IdleModel.Generator"/> makes it.</param>
    /// <exception cref="ArgumentException">A request needs more room than a silo has.</exception>
    public static FleetResult Run(FleetSettings settings, IReadOnlyList<TraceRequest> trace, TextGenerator model)
    {
        int longest = trace.Max(asked => asked.PromptTokens + asked.NewTokens);
        if (longest > settings.CacheTokens / KeyValuePages.Tokens * KeyValuePages.Tokens)
            throw new ArgumentException($"A request has {longest} tokens; a silo has room for {settings.CacheTokens} (--cache-tokens).", nameof(trace));
        var simulation = new FleetSimulation(settings, model);
        SimulatedRequest[] requests = [.. trace.Select(asked => new SimulatedRequest(asked))];
        double end = trace[^1].Time;
        (double Busy, long Tokens)[] atEnd = simulation.Run(requests, end);
        return FleetResult.Of(settings, requests, end, atEnd);
    }

    private (double Busy, long Tokens)[] Run(SimulatedRequest[] requests, double end)
    {
        (double, long)[] atEnd = [];
        foreach (SimulatedRequest request in requests)
            At(request.Asked.Time + _settings.Hop, () => Place(request));
        for (int i = 0; i < _silos.Length; i++)
            ReportLater(i, _settings.ReportInterval * (i + 1) / _silos.Length);
        At(end, () => atEnd = [.. _silos.Select(silo => (silo.Busy, silo.NewTokens))]);
        while (_events.TryDequeue(out Action? what, out (double Time, long Order) when) && when.Time <= end + Rest)
        {
            _now = when.Time;
            what();
        }
        return atEnd;
    }

    // In the directory.
    private void Place(SimulatedRequest request)
    {
        int[] ids = request.Asked.Ids(_vocabulary);
        ulong[] blocks = PrefixBlocks.Of(ids);
        int silo = _placement.Choose(new PlacementRequest(blocks), [.. _entries.Select(entry => entry.Candidate)]);
        _entries[silo].Assign(blocks);
        At(_now + 2 * _settings.Hop, () =>
        {
            _silos[silo].Enqueue(request, ids);
            Changed(silo);
            if (!_silos[silo].IsRunning)
                Step(silo);
        });
    }

    private void Step(int silo)
    {
        if (_silos[silo].Begin() is not double seconds)
            return;
        At(_now + seconds, () =>
        {
            if (_silos[silo].End(_now))
                Changed(silo);
            Step(silo);
        });
    }

    private void Changed(int silo)
    {
        if (_reportIsDue[silo])
            return;
        _reportIsDue[silo] = true;
        At(Math.Max(_now, _lastReport[silo] + Pause), () => Report(silo));
    }

    private void Report(int silo)
    {
        (_lastReport[silo], _reportIsDue[silo]) = (_now, false);
        SiloReport report = _silos[silo].Report(_settings);
        At(_now + _settings.Hop, () => _entries[silo] = new DirectoryEntry(report));
        ReportLater(silo, _settings.ReportInterval);
    }

    // Where nothing changes meanwhile.
    private void ReportLater(int silo, double seconds)
    {
        double last = _lastReport[silo];
        At(_now + seconds, () =>
        {
            if (_lastReport[silo] == last && !_reportIsDue[silo])
                Report(silo);
        });
    }

    private void At(double time, Action what) => _events.Enqueue(what, (time, _order++));
}
