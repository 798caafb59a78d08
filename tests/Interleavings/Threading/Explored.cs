using System.Runtime.CompilerServices;

namespace ManagedTransformers.Interleavings;

/// <summary>What the explored sources start on the thread pool, as threads of the schedule.</summary>
internal static class Explored
{
    public static Task Run(Func<Task> work, CancellationToken cancellationToken = default)
    {
        var over = new TaskCompletionSource();
        Schedule.Start(() => _ = work().ContinueWith(_ => over.SetResult(), cancellationToken,
                 TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default),
            "task");
        return over.Task;
    }

    public static Continuation Yield() => default;

    // Callbacks run where it is called, as one: who unregisters one waits for it outside of the schedule.
    public static Task CancelAsync(CancellationTokenSource source)
    {
        Schedule.AsOne(source.Cancel);
        return Task.CompletedTask;
    }

    /// <summary>Goes on as a thread of its own.</summary>
    internal readonly struct Continuation : INotifyCompletion
    {
        public bool IsCompleted => false;
        public Continuation GetAwaiter() => this;
        public void GetResult() { }
        public void OnCompleted(Action continuation) => Schedule.Start(continuation, "continuation");
    }
}
