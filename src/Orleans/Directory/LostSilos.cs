namespace ManagedTransformers.Orleans;

/// <summary>When what a silo has reported counts no more.</summary>
internal static class LostSilos
{
    // Reports that do not come from a silo that hangs, before it counts as gone.
    private const int MissedReports = 10;

    /// <summary>The time in which every silo that counts has reported.</summary>
    /// <param name="interval">The longest time between two reports of a silo that is well.</param>
    public static TimeSpan Patience(TimeSpan interval) => MissedReports * interval;

    /// <summary>Whether a silo is dead, or has not reported for too long.</summary>
    /// <param name="silos">The cluster.</param>
    /// <param name="silo">The silo.</param>
    /// <param name="came">The timestamp of its last report, of a clock that cannot jump.</param>
    /// <param name="interval">The longest time between two reports of a silo that is well.</param>
    public static bool IsGone(this ISiloStatusOracle silos, SiloAddress silo, long came, TimeSpan interval) =>
        silos.IsDeadSilo(silo) || Stopwatch.GetElapsedTime(came) > Patience(interval);
}
