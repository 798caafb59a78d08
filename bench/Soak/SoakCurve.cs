using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Bench;

/// <summary>What a process held at one moment of a soak, when no call ran.</summary>
/// <param name="Time">Since the soak began.</param>
/// <param name="Calls">How many calls there had been.</param>
/// <param name="Live">Bytes of managed objects that live.</param>
/// <param name="Committed">Bytes that the garbage collector holds for them, gaps included.</param>
/// <param name="State">What the system says.</param>
internal sealed record SoakSample(TimeSpan Time, long Calls, long Live, long Committed, ProcessState State);

/// <summary>What a process holds over a soak, and whether that grows.</summary>
/// <param name="alone">Whether the process has nothing else to do, so that all threads of its pool end between two calls.</param>
internal sealed class SoakCurve(bool alone)
{
    /// <summary>By how much what is held may grow between the warm-up and the end.</summary>
    public const double Flat = 0.02;

    /// <summary>The most that the collector may hold, over what lives: it gives memory back in regions of up to 32 MB, and its part goes up and down.</summary>
    public const double MostCommitted = 3;

    private const string PoolTimeout = "System.Threading.ThreadPool.ThreadTimeoutMs";

    private readonly List<SoakSample> _samples = [];
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _warmUp;

    public IReadOnlyList<SoakSample> Samples => _samples;

    /// <summary>What there is after the warm-up.</summary>
    public IReadOnlyList<SoakSample> Warm => [.. _samples.Skip(_warmUp)];

    /// <summary>Has idle threads of the pool end after a moment, not 20 seconds; only before any has begun.</summary>
    public static void HavePoolThreadsEnd() => AppContext.SetData(PoolTimeout, 200);

    /// <summary>The samples so far are of the warm-up.</summary>
    public void EndWarmUp() => _warmUp = _samples.Count;

    /// <summary>Measures; no call runs.</summary>
    public SoakSample Sample(long calls)
    {
        if (alone)
            WaitForPoolThreads();
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        TrimFreed();
        (long live, long committed) = (GC.GetTotalMemory(forceFullCollection: true), GC.GetGCMemoryInfo().TotalCommittedBytes);
        var sample = new SoakSample(Stopwatch.GetElapsedTime(_start), calls, live, committed, ProcessState.Of(Environment.ProcessId));
        Add(sample);
        return sample;
    }

    /// <summary>Takes a sample in.</summary>
    public void Add(SoakSample sample) => _samples.Add(sample);

    /// <summary>What grows.</summary>
    public IEnumerable<string> Growth()
    {
        IReadOnlyList<SoakSample> warm = Warm;
        if (warm.Count < 10)
            return [$"there are {warm.Count} samples after the warm-up; 10 are needed to say whether anything grows: make the time longer"];
        double committed = warm.Average(one => (double)one.Committed / one.Live);
        return ((string?[])
        [
            // Native memory alone is 7 MB, of which one arena of an allocator is 2 %.
            Grows("live managed memory", warm, one => one.Live), Grows("live and native memory", warm, one => one.Live + one.State.Private - one.Committed),
            Grows("open files", warm, one => one.State.Files), Grows("mapped weight files", warm, one => one.State.WeightMappings),
            Grows("threads", warm, one => one.State.Threads), Grows("mappings", warm, one => one.State.Mappings),
            committed <= MostCommitted ? null : $"the collector holds {committed:F1} times what lives; {MostCommitted} are allowed",
        ]).OfType<string>();
    }

    /// <summary>Beginning and end of the line of least squares through the samples.</summary>
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

    // Each of them keeps working memory, of one to two MB, until it ends; how many there are is left to chance.
    private static void WaitForPoolThreads()
    {
        for (long start = Stopwatch.GetTimestamp(); ThreadPool.ThreadCount > 0; Thread.Sleep(50))
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromMinutes(1))
                throw new TimeoutException($"The soak could not measure: {ThreadPool.ThreadCount} threads of the pool have not ended after a minute without " +
                    $"calls. Idle ones end after {AppContext.GetData(PoolTimeout) ?? 20_000} ms ({PoolTimeout}); another part of the process keeps these.");
        }
    }

    // What was freed, most of it by the JIT, stays with the arena of the thread that had it; glibc gives it back when told to, other C libraries by themselves.
    private static void TrimFreed()
    {
        if (NativeLibrary.TryLoad("libc.so.6", out nint library) && NativeLibrary.TryGetExport(library, "malloc_trim", out nint trim))
            Marshal.GetDelegateForFunctionPointer<MallocTrim>(trim)(pad: 0);
    }

    private delegate int MallocTrim(nuint pad);

    private static string? Grows(string name, IReadOnlyList<SoakSample> some, Func<SoakSample, long> what)
    {
        (double first, double last) = Line(some, what);
        return last <= first * (1 + Flat) ? null : string.Create(CultureInfo.InvariantCulture,
            $"{name}: from {first:N0} to {last:N0}; {Flat:P0} are allowed");
    }
}
