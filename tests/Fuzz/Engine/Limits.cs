namespace ManagedTransformers.Fuzz;

/// <summary>What an input may cost: 2 seconds of processor time for each MB and at least that; 20 times its size and 64 MB more of memory.</summary>
internal static class Limits
{
    private const double MB = 1 << 20;

    public static TimeSpan Time(int length, TimeSpan perMB) => perMB * Math.Max(1, length / MB);

    public static long Memory(int length, int factor) => (factor * (long)length) + (64L << 20);

    /// <summary>The most managed memory that is alive at once while something runs, beyond what was before. Much slower than the run itself.</summary>
    public static long PeakOf(Action run)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true), most = 0;
        using var ended = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            do
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            while (!ended.Wait(1));
        });
        watch.Start();
        try
        {
            run();
        }
        finally
        {
            ended.Set();
            watch.Join();
        }
        return most;
    }

    /// <summary>The processor time that a run takes, whatever else the machine does meanwhile: the least of three.</summary>
    public static TimeSpan TimeOf(Action run) => Enumerable.Range(0, 3).Min(_ =>
    {
        TimeSpan start = Environment.CpuUsage.TotalTime;
        run();
        return Environment.CpuUsage.TotalTime - start;
    });
}
