using System.Net;
using ManagedTransformers.Orleans;
using ManagedTransformers.Serving;
using Orleans.Runtime;

namespace ManagedTransformers.Bench;

/// <summary>A request on its way through a simulated fleet; times in seconds.</summary>
internal sealed record SimulatedRequest(TraceRequest Asked)
{
    public int Silo { get; set; } = -1;

    /// <summary>Of its first token; infinity: it has not come.</summary>
    public double First { get; set; } = double.PositiveInfinity;

    public double End { get; set; } = double.PositiveInfinity;

    public int CachedTokens { get; set; }

    /// <summary>Whether its silo had as many waiting as it takes.</summary>
    public bool IsRefused { get; set; }
}

/// <summary>A silo whose engine is the real one, queue, batch and prefix cache, on <see cref="IdleModel"/>: its steps take the times that were measured with
/// another model.</summary>
internal sealed class SimulatedSilo
{
    private readonly GenerationEngine _engine;
    private readonly StepTimes _times;
    private readonly Dictionary<long, SimulatedRequest> _requests = [];
    private readonly List<SimulatedRequest> _first = [], _ended = [];
    private readonly SiloAddress _address;
    private readonly int _number;
    private long _last, _version;
    private int _running;

    public SimulatedSilo(int number, TextGenerator generator, FleetSettings settings)
    {
        (_number, _times) = (number, settings.Times);
        _address = SiloAddress.New(new IPEndPoint(new IPAddress([10, 0, (byte)(number / 250), (byte)(1 + (number % 250))]), 11111), 1);
        long bytesPerToken = 2 * sizeof(float) * generator.Model.Config.HiddenWidth * generator.Model.Config.Layers;
        _engine = GenerationEngine.WithoutThread(generator, settings.Engine with { CacheBytes = settings.CacheTokens * bytesPerToken });
    }

    /// <summary>Seconds in which it computed.</summary>
    public double Busy { get; private set; }

    /// <summary>Tokens that it has generated.</summary>
    public long NewTokens { get; private set; }

    /// <summary>Whether a step runs.</summary>
    public bool IsRunning { get; private set; }

    public void Enqueue(SimulatedRequest request, int[] ids)
    {
        request.Silo = _number;
        var options = new GenerationOptions { MaxNewTokens = request.Asked.NewTokens, EosTokenId = [] };
        try
        {
            _ = _engine.StreamAsync(new GenerationRequest(ids) { Options = options });
        }
        catch (EngineBusyException)
        {
            request.IsRefused = true;
            return;
        }
        _requests.Add(++_last, request);
    }

    /// <summary>Begins a step.</summary>
    /// <returns>The seconds that it takes; null: there is nothing to do.</returns>
    public double? Begin()
    {
        IsRunning = _engine.Admit();
        if (!IsRunning)
            return null;
        (BatchRow Row, int Read, int New)[] before = [.. _engine.Rows.Select(row => (row, row.Read, row.Generated))];
        _engine.Step();
        double seconds = 0;
        int rows = 0;
        long keys = 0;
        foreach ((BatchRow row, int read, int generated) in before)
        {
            int cached = Math.Max(read, row.Usage.CachedTokens), computed = row.Read - cached, made = row.Generated - generated;
            if (computed > 0)
                seconds += _times.PromptSeconds(computed, cached);
            // Reading the end of a prompt gives the first token, and a pass of all that run the next one.
            if (made > (generated == 0 ? 1 : 0))
                (rows, keys) = (rows + 1, keys + row.Tokens.Length + row.Generated);
            Note(row, generated == 0 && made > 0);
            NewTokens += made;
        }
        seconds += rows > 0 ? _times.DecodeSeconds(rows, keys) : 0;
        Busy += seconds;
        return seconds;
    }

    /// <summary>Ends the step: what came of it is seen now.</summary>
    /// <returns>Whether a request has ended, so that the silo tells the directory.</returns>
    public bool End(double now)
    {
        foreach (SimulatedRequest request in _first)
            request.First = now;
        foreach (SimulatedRequest request in _ended)
            request.End = now;
        bool any = _ended.Count > 0;
        _first.Clear();
        _ended.Clear();
        _running = _engine.Rows.Count;
        return any;
    }

    /// <summary>What it tells the directory.</summary>
    public SiloReport Report(FleetSettings settings) => new()
    {
        Silo = _address, Version = ++_version, Name = $"silo-{_number}", Fingerprint = "", KernelLevel = "", IsLoaded = true, Running = _running,
        Waiting = _requests.Count - _running, Rows = _engine.Options.MaxRows, Prefixes = PrefixBlocks.Of(_engine.HeldPrompts, settings.ReportedBlocks),
        Interval = TimeSpan.FromSeconds(settings.ReportInterval),
    };

    private void Note(BatchRow row, bool isFirst)
    {
        SimulatedRequest request = _requests[row.Request.Number];
        if (isFirst)
        {
            _first.Add(request);
            request.CachedTokens = row.Request.CachedTokens;
        }
        if (row.IsOver)
        {
            _ended.Add(request);
            _requests.Remove(row.Request.Number);
        }
    }
}
