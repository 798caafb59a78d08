namespace ManagedTransformers.Kernels;

/// <summary>Time of the schedule.</summary>
internal static class Stopwatch
{
    public static long Frequency => 100_000_000;
    public static long GetTimestamp() => Schedule.Now;
}
