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
    /// <summary>By how much memory may differ between the beginning, after a warm-up, and the end.</summary>
    public const double Flat = 0.02;

    // Measured at rest over an hour: live memory moves by 3 MB from one sample to the next, what is neither the collector's nor a file's by 1. The collector
    // gives memory back in regions of up to 32 MB, one of which it keeps or not: 105 to 158 MB for 70 that live, up and down.
    private const long LiveAllowance = 3 << 20, NativeAllowance = 4 << 20, RegionAllowance = 32 << 20;

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

    /// <summary>What grows, after a warm-up of a fifth of the time.</summary>
    public IEnumerable<string> Growth()
    {
        SoakSample[] all = [.. _samples.Skip(_samples.Count / 5)];
        if (all.Length < 10)
            return [$"there are {all.Length} samples after the warm-up; 10 are needed to say whether anything grows"];
        return ((string?[])
        [
            Grows("live managed memory", all, one => one.Live, LiveAllowance),
            Grows("memory that the collector holds", all, one => one.Committed, RegionAllowance),
            Grows("private memory besides", all, one => one.State.Private - one.Committed, NativeAllowance),
            Grows("resident memory", all, one => one.State.Resident, RegionAllowance),
            Grows("open files", all, one => one.State.Files, 0), Grows("mapped weight files", all, one => one.State.WeightMappings, 0),
            Grows("threads", all, one => one.State.Threads, 0), Grows("mappings", all, one => one.State.Mappings, 0),
        ]).OfType<string>();
    }

    /// <summary>Medians of a fifth after the warm-up and of the last fifth.</summary>
    public static (double First, double Last) Ends(IReadOnlyList<SoakSample> all, Func<SoakSample, long> what)
    {
        int part = Math.Max(1, all.Count / 5);
        return (Median(all.Take(part)), Median(all.TakeLast(part)));

        double Median(IEnumerable<SoakSample> some) => some.Select(what).Order().ElementAt(part / 2);
    }

    public static string Text(SoakSample one) => string.Create(CultureInfo.InvariantCulture,
        $"{one.Time.TotalMinutes,6:F1} min {one.Calls,9} calls   live {one.Live / 1e6,7:F2} of {one.Committed / 1e6,5:F1} MB   " +
        $"resident {one.State.Resident / 1e6,6:F1}   private {one.State.Private / 1e6,6:F1}   files {one.State.Files}   threads {one.State.Threads}   " +
        $"mappings {one.State.Mappings}, of weights {one.State.WeightMappings}");

    private static string? Grows(string name, SoakSample[] all, Func<SoakSample, long> what, long allowance)
    {
        (double first, double last) = Ends(all, what);
        return last <= (first * (1 + Flat)) + allowance ? null : string.Create(CultureInfo.InvariantCulture,
            $"{name}: from {first:N0} to {last:N0}; {Flat:P0} and {allowance:N0} are allowed");
    }
}
