using System.Diagnostics;

namespace ManagedTransformers.Fuzz;

/// <summary>What was wrong with an input.</summary>
/// <param name="Key">The kind: the exception and where it came from. One input of each kind is kept.</param>
/// <param name="Text">What is said of it.</param>
internal sealed record Fault(string Key, string Text);

/// <summary>Runs a target on an input, and holds it to its limits.</summary>
internal sealed class Trial(FuzzTarget target)
{
    /// <summary>Whether the last input was read to its end, rather than refused.</summary>
    public bool Accepted { get; private set; }

    /// <returns>What is wrong; null: nothing.</returns>
    public Fault? Run(byte[] input)
    {
        long allocated = GC.GetTotalAllocatedBytes(), start = Stopwatch.GetTimestamp();
        Fault? fault = Attempt(input);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        allocated = GC.GetTotalAllocatedBytes() - allocated;        // of all threads: some parsers work on others
        if (fault is not null)
            return fault;
        TimeSpan time = Limits.Time(input.Length, target.TimePerMB);
        if (took > time && Limits.TimeOf(() => Attempt(input)) is var least && least > time)
            return new Fault("time", $"{input.Length} bytes take {least.TotalSeconds:F1} s; {time.TotalSeconds:F1} s are allowed.");
        // What is allocated is at least what is alive at once.
        long allowed = Limits.Memory(input.Length, target.MemoryFactor);
        if (allocated > allowed && Limits.PeakOf(() => Attempt(input)) is var peak && peak > allowed)
            return new Fault("memory", $"{input.Length} bytes take {peak >> 20} MB; {allowed >> 20} MB are allowed.");
        return null;
    }

#pragma warning disable CA1031 // whatever is thrown is what is looked for
    private Fault? Attempt(byte[] input)
    {
        try
        {
            target.Run(input);
            Accepted = true;
            return null;
        }
        catch (Exception e) when (target.IsRefusal(e))
        {
            Accepted = false;
            return null;
        }
        catch (Exception e)
        {
            Accepted = false;
            return new Fault(KeyOf(e), e.ToString());
        }
    }
#pragma warning restore CA1031

    // Where it came from: the first two of our own methods, whatever the base library did below them.
    private static string KeyOf(Exception e)
    {
        IEnumerable<string> own = new StackTrace(e).GetFrames()
            .Select(frame => frame.GetMethod())
            .Where(method => method?.DeclaringType?.FullName?.StartsWith("ManagedTransformers", StringComparison.Ordinal) == true)
            .Where(method => method!.DeclaringType != typeof(Oracle))
            .Select(method => $"{method!.DeclaringType!.Name}.{method.Name}");
        return $"{e.GetType().Name} {string.Join(" < ", own.Take(2))}";
    }
}
