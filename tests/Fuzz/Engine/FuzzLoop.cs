using System.Diagnostics;

namespace ManagedTransformers.Fuzz;

/// <summary>An input that shows a fault.</summary>
internal sealed record Finding(Fault Fault, byte[] Input);

/// <summary>What came of a run.</summary>
/// <param name="Inputs">Inputs that were tried.</param>
/// <param name="Accepted">Those that were read to their end; the others were refused.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="SeedPoints">Branches that the seeds reach.</param>
/// <param name="Points">Branches that all inputs reach.</param>
/// <param name="Corpus">Inputs that were kept because they reached something new.</param>
/// <param name="Findings">One input for each kind of fault.</param>
internal sealed record FuzzReport(long Inputs, long Accepted, TimeSpan Elapsed, int SeedPoints, int Points, int Corpus, IReadOnlyList<Finding> Findings)
{
    public double InputsPerSecond => Inputs / Math.Max(Elapsed.TotalSeconds, 1e-3);
}

/// <summary>Changes inputs, and goes on with those that reach what none before has reached.</summary>
/// <param name="target">What is tried.</param>
/// <param name="seed">The same seed tries the same inputs, with the same build.</param>
internal sealed class FuzzLoop(FuzzTarget target, int seed)
{
    private const int MaxFindings = 40;
    private const int OneIsLargeOf = 2000;

    private readonly Random _random = new(seed);
    private readonly Trial _trial = new(target);
    private readonly Coverage _coverage = new();
    private readonly List<byte[]> _corpus = [], _good = [];
    private readonly Dictionary<string, Finding> _findings = [];
    private long _inputs, _accepted;

    /// <summary>Tries as many inputs, seeds among them, and ends sooner where the time is over.</summary>
    public FuzzReport Run(long inputs, TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (byte[] input in target.Seeds())
        {
            Try(input);
            Keep(input);                    // those that reach nothing new may still be worth a change
        }
        int seedPoints = _coverage.Points;
        while (_inputs < inputs && _findings.Count < MaxFindings && Stopwatch.GetElapsedTime(start) < time)
        {
            byte[] input = target.Mutator.Change(_random, Pick(), Pick());
            if (input.Length > target.MaxLength)
                Array.Resize(ref input, target.MaxLength);
            if (Try(input))
                Keep(input);
            if (_random.Next(OneIsLargeOf) == 0)
                Try(target.Mutator.Grow(_random, Pick(), 1 << _random.Next(14, 21)));           // too slow to go on from
        }
        return new FuzzReport(_inputs, _accepted, Stopwatch.GetElapsedTime(start), seedPoints, _coverage.Points, _corpus.Count, [.. _findings.Values]);
    }

    // Most changes break an input, and little is behind that. So a third of the time it is one that was read to its end; and a third of the time one of the
    // newest, which lead on.
    private byte[] Pick()
    {
        int newest = Math.Max(1, _corpus.Count / 8);
        return _random.Next(3) switch
        {
            0 when _good.Count > 0 => _good[_random.Next(_good.Count)],
            1 => _corpus[_corpus.Count - 1 - _random.Next(newest)],
            _ => _corpus[_random.Next(_corpus.Count)],
        };
    }

    private void Keep(byte[] input)
    {
        _corpus.Add(input);
        if (_trial.Accepted)
            _good.Add(input);
    }

    private bool Try(byte[] input)
    {
        _inputs++;
        Trail.Clear();
        Fault? fault;
        using (Watchdog.Guard(target, input))
            fault = _trial.Run(input);
        if (_trial.Accepted)
            _accepted++;
        if (fault is not null)
            _findings.TryAdd(fault.Key, new Finding(fault, input));
        return _coverage.Add() && fault is null;
    }
}
