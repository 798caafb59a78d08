using System.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>The times of a work alone.</summary>
internal sealed record SoloTimes(IReadOnlyList<double> Ms);

/// <summary>The times of a work and of another, from interleaved A/B runs.</summary>
/// <param name="Ours">Every run of ours, in ms.</param>
/// <param name="Theirs">Every run of theirs, in ms.</param>
/// <param name="Ratios">Per pair of turns: median of theirs / median of ours.</param>
internal sealed record PairTimes(IReadOnlyList<double> Ours, IReadOnlyList<double> Theirs, IReadOnlyList<double> Ratios);

/// <summary>Repeats work until the time is used up.</summary>
/// <param name="seconds">Time for the timed runs.</param>
/// <param name="fixedRuns">A fixed number of runs (pairs) instead.</param>
internal sealed class Timing(double seconds, int? fixedRuns)
{
    private const int MinRuns = 5;
    private const int MaxRuns = 2000;
    private const int MinWarmRuns = 2;

    // The JIT recompiles hot methods in the background after 30 calls; most of it has happened within a second.
    private const double WarmSeconds = 1;

    // A turn is long enough to outweigh waking threads and filling caches.
    private const double TurnMs = 100;
    private const double ShortRunMs = 50;

    /// <summary>Runs until the code is compiled and the caches are filled.</summary>
    public void WarmUp(ITimed work)
    {
        long start = Stopwatch.GetTimestamp();
        double warm = Math.Min(WarmSeconds, seconds);
        for (int run = 0; run < MinWarmRuns || Stopwatch.GetElapsedTime(start).TotalSeconds < warm; run++)
            work.RunOnce();
    }

    /// <summary>Times a work alone.</summary>
    public SoloTimes Solo(ITimed work)
    {
        var times = new List<double>();
        long start = Stopwatch.GetTimestamp();
        while (Continues(times.Count, start))
            times.Add(work.RunOnce());
        return new SoloTimes(times);
    }

    /// <summary>Times two works in interleaved A/B runs; who goes first alternates.</summary>
    /// <param name="ours">Ours.</param>
    /// <param name="theirs">The other.</param>
    /// <param name="settle">Called between turns, so that the threads of the one stand still when the other begins.</param>
    public PairTimes Pairs(ITimed ours, ITimed theirs, Action settle)
    {
        var (allOurs, allTheirs, ratios) = (new List<double>(), new List<double>(), new List<double>());
        long start = Stopwatch.GetTimestamp();
        while (Continues(ratios.Count, start))
        {
            bool oursFirst = ratios.Count % 2 == 0;
            double first = Turn(oursFirst ? ours : theirs, oursFirst ? allOurs : allTheirs, settle);
            double second = Turn(oursFirst ? theirs : ours, oursFirst ? allTheirs : allOurs, settle);
            ratios.Add(oursFirst ? second / first : first / second);
        }
        return new PairTimes(allOurs, allTheirs, ratios);
    }

    private bool Continues(int done, long start) => fixedRuns is int runs
        ? done < runs
        : done < MinRuns || (done < MaxRuns && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);

    /// <summary>Some runs in a row, the first of which is not counted where it is short; their median.</summary>
    private static double Turn(ITimed work, List<double> all, Action settle)
    {
        settle();
        double first = work.RunOnce();
        List<double> turn = first < ShortRunMs ? [] : [first];
        for (double sum = turn.Sum(); sum < TurnMs || turn.Count == 0; sum += turn[^1])
            turn.Add(work.RunOnce());
        all.AddRange(turn);
        return Samples.Median(turn);
    }
}
