using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary>What a process held at one moment of a soak, when no call ran.</summary>
/// <param name="Time">Since the soak began.</param>
/// <param name="Calls">How many calls there had been.</param>
/// <param name="Live">Bytes of managed objects that live.</param>
/// <param name="Committed">Bytes that the garbage collector holds for them, gaps included.</param>
/// <param name="State">What the system says.</param>
internal sealed record SoakSample(TimeSpan Time, long Calls, long Live, long Committed, ProcessState State);

/// <summary>What a process holds over a soak, and whether that grows.</summary>
internal sealed class SoakCurve
{
    /// <summary>By how much what is held may grow between the warm-up and the end.</summary>
    public const double Flat = 0.02;

    /// <summary>The most that the collector may hold, over what lives: it gives memory back in regions of up to 32 MB, and its part goes up and down.</summary>
    public const double MostCommitted = 3;

    // Until then caches fill, and the JIT compiles.
    private const int WarmCalls = 10_000;

    private readonly List<SoakSample> _samples = [];
    private readonly long _start = Stopwatch.GetTimestamp();

    public IReadOnlyList<SoakSample> Samples => _samples;

    /// <summary>Measures; no call runs.</summary>
    public SoakSample Sample(long calls)
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        ProcessState state = ProcessState.Of(Environment.ProcessId);
        var sample = new SoakSample(Stopwatch.GetElapsedTime(_start), calls, GC.GetTotalMemory(forceFullCollection: true),
            GC.GetGCMemoryInfo().TotalCommittedBytes, state);
        _samples.Add(sample);
        return sample;
    }

    /// <summary>What there was after a warm-up of a fifth of the time, and of as many calls as fill the caches.</summary>
    public IReadOnlyList<SoakSample> Warm => [.. _samples.Skip(_samples.Count / 5).SkipWhile(one => one.Calls < WarmCalls)];

    /// <summary>What grows.</summary>
    public IEnumerable<string> Growth()
    {
        IReadOnlyList<SoakSample> warm = Warm;
        if (warm.Count < 10)
            return [$"there are {warm.Count} samples after a warm-up of {WarmCalls} calls; 10 are needed to say whether anything grows"];
        double committed = warm.Average(one => (double)one.Committed / one.Live);
        return ((string?[])
        [
            Grows("live managed memory", warm, one => one.Live), Grows("private memory besides", warm, one => one.State.Private - one.Committed),
            Grows("open files", warm, one => one.State.Files), Grows("mapped weight files", warm, one => one.State.WeightMappings),
            Grows("threads", warm, one => one.State.Threads), Grows("mappings", warm, one => one.State.Mappings),
            committed <= MostCommitted ? null : $"the collector holds {committed:F1} times what lives; {MostCommitted} are allowed",
        ]).OfType<string>();
    }

    /// <summary>Beginning and end of the line through the samples that has the least squared distances: single samples move by more than the line.</summary>
    public static (double First, double Last) Line(IReadOnlyList<SoakSample> some, Func<SoakSample, long> what)
    {
        (double mean, double rise) = Bench.Samples.Line([.. some.Select(one => (double)what(one))]);
        double half = rise * (some.Count - 1) / 2;
        return (mean - half, mean + half);
    }

    public static string Text(SoakSample one) => string.Create(CultureInfo.InvariantCulture,
        $"{one.Time.TotalMinutes,6:F1} min {one.Calls,9} calls   live {one.Live / 1e6,7:F2} of {one.Committed / 1e6,5:F1} MB   " +
        $"resident {one.State.Resident / 1e6,6:F1}   private {one.State.Private / 1e6,6:F1}   files {one.State.Files}   threads {one.State.Threads}   " +
        $"mappings {one.State.Mappings}, of weights {one.State.WeightMappings}");

    private static string? Grows(string name, IReadOnlyList<SoakSample> some, Func<SoakSample, long> what)
    {
        (double first, double last) = Line(some, what);
        return last <= first * (1 + Flat) ? null : string.Create(CultureInfo.InvariantCulture,
            $"{name}: from {first:N0} to {last:N0}; {Flat:P0} are allowed");
    }
}
