using System.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>Runs a piece of work on several threads that start together.</summary>
internal static class ThreadTeam
{
    /// <summary>The least time in seconds that <paramref name="work"/>, given the thread's number, took on all threads, over some rounds.</summary>
    public static double BestSeconds(int threads, int rounds, Action<int> work)
    {
        double best = double.MaxValue;
        var (starts, ends) = (new long[threads], new long[threads]);
        using var barrier = new Barrier(threads);
        void Loop(int thread)
        {
            for (int round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                starts[thread] = Stopwatch.GetTimestamp();
                work(thread);
                ends[thread] = Stopwatch.GetTimestamp();
                barrier.SignalAndWait();
                // From the first that starts to the last that ends: a thread that was kept waiting does not look fast.
                if (thread == 0)
                    best = Math.Min(best, Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds);
            }
        }
        Thread[] helpers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(() => Loop(i)))];
        foreach (Thread helper in helpers)
            helper.Start();
        Loop(0);
        foreach (Thread helper in helpers)
            helper.Join();
        return best;
    }
}
