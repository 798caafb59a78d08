using System.Diagnostics;

namespace ManagedTransformers.Kernels;

/// <summary>A door for one waiter: it spins for a while, as the next piece of work mostly comes within microseconds, then sleeps.</summary>
internal sealed class Gate
{
    // Long enough for the gaps inside a layer, short enough to leave the core to others between requests.
    private static readonly long s_spinTicks = Stopwatch.Frequency / 10_000;

    private readonly object _wake = new();   // a plain object: Monitor.Wait and Pulse need one
    private int _open;
    private int _asleep;

    /// <summary>Lets the waiter through, now or when it comes.</summary>
    public void Open()
    {
        Interlocked.Exchange(ref _open, 1);
        if (Volatile.Read(ref _asleep) == 0) return;
        lock (_wake) Monitor.Pulse(_wake);
    }

    /// <summary>Waits until the gate is opened, and closes it behind itself.</summary>
    public void Wait()
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _open) == 0)
        {
            Thread.SpinWait(8);
            if (Stopwatch.GetTimestamp() - start < s_spinTicks) continue;
            Sleep();
            break;
        }
        Volatile.Write(ref _open, 0);
    }

    // Each side writes its own flag, then reads the other's, with a fence between: at least one of them sees that it has to act.
    private void Sleep()
    {
        lock (_wake)
        {
            Interlocked.Exchange(ref _asleep, 1);
            while (Volatile.Read(ref _open) == 0) Monitor.Wait(_wake);
            Volatile.Write(ref _asleep, 0);
        }
    }
}
