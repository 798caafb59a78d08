namespace ManagedTransformers.Testing;

/// <summary>What a piece of code allocates on its thread.</summary>
internal static class Allocations
{
    /// <summary>
    /// The least of five runs, in bytes. A garbage collection that another test sets off during a run counts the rest of the thread's allocation buffer,
    /// though nothing was allocated; code that allocates does so in every run.
    /// </summary>
    public static long Of(Action run)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
