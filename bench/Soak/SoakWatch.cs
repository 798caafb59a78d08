using System.Diagnostics;

namespace ManagedTransformers.Bench;

/// <summary>What each thread calls, so that a soak in which nothing goes on ends, and says where its threads are.</summary>
internal sealed class SoakWatch(int threads)
{
    private readonly Call?[] _calls = new Call?[threads];
    private long _ended;

    /// <summary>How many calls have ended.</summary>
    public long Ended => Interlocked.Read(ref _ended);

    /// <summary>How long no call may end.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>A thread begins a call.</summary>
    public void Begin(int thread, SoakKind kind, int n) => _calls[thread] = new Call(kind.Name, n, Stopwatch.GetTimestamp());

    /// <summary>A thread has ended its call.</summary>
    public void End(int thread)
    {
        _calls[thread] = null;
        Interlocked.Increment(ref _ended);
    }

    /// <summary>Work on a thread of its own.</summary>
    public static Task OnThread(Action work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits until work is over, on this thread: where the pool has no free thread left, nothing that runs on it could tell.</summary>
    /// <exception cref="TimeoutException">Neither has it ended nor has any call, for a long time: none will.</exception>
    public void Wait(Task work, string what)
    {
        (long ended, long since) = (Ended, Stopwatch.GetTimestamp());
        while (Task.WaitAny([work], 100) < 0)
        {
            if (Ended != ended)
                (ended, since) = (Ended, Stopwatch.GetTimestamp());
            else if (Stopwatch.GetElapsedTime(since) > Patience)
                throw new TimeoutException($"{what}: no call has ended for {Patience.TotalSeconds:F0} s, after {ended}. " +
                    string.Join("; ", _calls.Select((call, thread) => $"thread {thread}: {call?.ToString() ?? "no call"}")));
        }
        work.GetAwaiter().GetResult();
    }

    private sealed record Call(string Kind, int Case, long Since)
    {
        public override string ToString() => $"{Kind} {Case} for {Stopwatch.GetElapsedTime(Since).TotalSeconds:F0} s";
    }
}
