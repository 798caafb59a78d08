using System.Runtime.Intrinsics.X86;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>One run of the bench: limits, works, peers, reports.</summary>
internal sealed class BenchRun : IDisposable
{
    private readonly BenchSettings _settings;
    private readonly TableReport _report;
    private readonly MachineLimits _limits = new();
    private readonly ModelCache _models;
    private readonly PeerHost _peers;
    private readonly Timing _timing;
    private readonly List<Measurement> _results = [];
    private string? _area;                                // of the work that is measured

    private BenchRun(BenchSettings settings)
    {
        _settings = settings;
        _report = new TableReport(settings.Json);
        _models = new ModelCache(new CheckpointCache(settings.Cache, _report.Say));
        _peers = new PeerHost(_models.Checkpoints, _report.Say);
        _timing = new Timing(settings.Seconds, settings.Runs);
    }

    /// <summary>Runs what the settings ask for.</summary>
    /// <returns>The exit code.</returns>
    public static int Execute(BenchSettings settings)
    {
        using var run = new BenchRun(settings);
        run.Run();
        return 0;
    }

    public void Dispose()
    {
        _models.Dispose();
        _peers.Dispose();
    }

    private void Run()
    {
        _report.Say(MachineDescription.Text);
        foreach (int threads in _settings.Threads)
            MeasureLimits(threads);
        try
        {
            foreach (string group in _settings.Groups)
                MeasureGroup(group);
        }
        finally
        {
            // A work that fails ends the run, but what was measured before it took its time.
            Report();
        }
    }

    private void MeasureGroup(string group)
    {
        foreach (KernelLevel level in _settings.Levels ?? WorkCatalog.DefaultLevels(group, _settings.Quick))
        {
            foreach (int threads in _settings.Threads)
                MeasureGroup(group, new KernelOptions { Level = level, MaxThreads = threads });
        }
        _peers.Close();
    }

    private void Report()
    {
        _report.Finish(_results);
        if (_settings.Json)
            JsonReport.Write(_results);
        if (_settings.Markdown is string markdown)
            MarkdownReport.Write(markdown, _results);
        if (_settings.Svg is string svg)
            RooflinePlot.Write(svg, _limits, _settings.Threads.Max(), _results);
    }

    /// <summary>The machine's own limits come first: all other numbers are shares of them.</summary>
    private void MeasureLimits(int threads)
    {
        AddLimit("limit: read memory", threads, m => m with { ReadGbPerS = _limits.Read(threads) / 1e9 });
        foreach (KernelLevel level in KernelDispatch.Supported.Where(level => level != KernelLevel.Reference))
            AddLimit("limit: FMA", threads, m => m with { Level = $"{level}", Gflops = _limits.Fma(level, threads) / 1e9 });
        if (AvxVnni.IsSupported)
            AddLimit("limit: int8 AVX-VNNI", threads, m => m with { Gflops = _limits.Int8(threads) / 1e9, Note = "Gop/s" });
    }

    private void AddLimit(string name, int threads, Func<Measurement, Measurement> measure)
    {
        var use = new CpuUse(peer: null);
        Measurement result = measure(new Measurement { Work = name, Machine = MachineDescription.Text, Threads = threads });
        Add(result with { OtherCpu = use.OthersShare() });
    }

    private void MeasureGroup(string group, KernelOptions kernels)
    {
        foreach (Work work in WorkCatalog.Create(group, _models, kernels, _settings.Quick))
        {
            using (work)
            {
                if (_settings.Filter is string filter && !work.Name.Contains(filter, StringComparison.OrdinalIgnoreCase))
                    continue;
                _area = WorkCatalog.AreaOf(group, work);
                work.Prepare();
                Measure(work);
            }
        }
    }

    private void Measure(Work work)
    {
        if (work is ProcessWork processes)
        {
            foreach (ProcessLine line in processes.Measure(_settings.Runs))
                Add(Describe(work, line.Ms) with { Work = $"{work.Name}{line.What}", LargestResidentMb = line.LargestResidentMb });
            return;
        }
        _timing.WarmUp(work);
        int before = _results.Count;
        if (work.Limit is { } limit)
            MeasureInterleavedLimit(work, limit);
        foreach ((string name, Func<Work> make) in work.Siblings)
            MeasureSibling(work, name, make);
        if (_settings.Peers)
        {
            foreach (PeerTask task in work.Peers)
                MeasurePeer(work, task);
        }
        if (_results.Count > before)
            return;
        var use = new CpuUse(peer: null);
        SoloTimes solo = _timing.Solo(work);
        Add(Describe(work, solo.Ms) with { OtherCpu = use.OthersShare() });
    }

    private void MeasureInterleavedLimit(Work work, Func<InterleavedLimit> make)
    {
        using InterleavedLimit limit = make();
        AddPairs(work, limit.Name, PeerKind.Limit, limit);
    }

    private void MeasureSibling(Work work, string name, Func<Work> make)
    {
        using Work sibling = make();
        sibling.Prepare();
        _timing.WarmUp(sibling);
        AddPairs(work, name, work.SiblingsAreOthers ? PeerKind.Other : PeerKind.Ours, sibling);
    }

    /// <summary>Times a work in interleaved A/B runs with another one in this process.</summary>
    private void AddPairs(Work work, string name, PeerKind kind, ITimed other)
    {
        var use = new CpuUse(peer: null);
        PairTimes pairs = _timing.Pairs(work, other, settle: static () => { });
        Add(Describe(work, pairs.Ours, name, pairs) with { PeerKind = kind, OtherCpu = use.OthersShare() });
    }

    private void MeasurePeer(Work work, PeerTask task)
    {
        if (_peers.Open(task, work.Kernels.MaxThreads) is not PeerProcess peer)
            return;
        try
        {
            peer.Ask(task.WriteInputs(_peers.ExchangeFile("inputs.bin")));
            double? difference = task.GivesOutput && work.Output() is float[] ours
                ? OutputDifference.Of(ours, peer.Output(_peers.ExchangeFile("output.bin")))
                : null;
            for (int run = 0; run < 2; run++)
                peer.RunOnce();
            var use = new CpuUse(peer.Process);
            PairTimes pairs = _timing.Pairs(work, peer, peer.WaitUntilQuiet);
            Measurement line = Describe(work, pairs.Ours, task.Peer, pairs);
            Add(line with { PeerKind = PeerKind.Other, OtherCpu = use.OthersShare(), OutputDifference = difference });
        }
        catch (PeerException e)
        {
            _peers.Drop(task, e);
        }
    }

    private Measurement Describe(Work work, IReadOnlyList<double> times, string? peer = null, PairTimes? pairs = null)
    {
        double median = Samples.Median(times);
        bool limited = work.Flops > 0;
        (string limit, double leastSeconds) = limited ? _limits.LeastSeconds(work) : ("", 0);
        return new Measurement
        {
            Work = work.Name,
            Area = _area,
            Machine = MachineDescription.Text,
            Threads = work.Kernels.MaxThreads,
            Level = $"{work.Kernels.Level}",
            MedianMs = median,
            BestMs = times.Min(),
            TokensPerS = work.Tokens * 1000.0 / median,
            Gflops = limited ? work.Flops / median / 1e6 : null,
            ReadGbPerS = work.Bytes > 0 ? work.Bytes / median / 1e6 : null,
            Limit = limited ? limit : null,
            ShareOfLimit = limited ? leastSeconds * 1000 / median : null,
            Intensity = work.Bytes > 0 ? work.Flops / work.Bytes : null,
            Runs = times.Count,
            Peer = peer,
            PeerMedianMs = pairs is null ? null : Samples.Median(pairs.Theirs),
            PeerBestMs = pairs?.Theirs.Min(),
            Ratio = pairs is null ? null : Samples.Median(pairs.Ratios),
        };
    }

    private void Add(Measurement result)
    {
        _results.Add(result);
        _report.Show(result);
    }
}
