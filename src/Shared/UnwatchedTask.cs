namespace ManagedTransformers;

/// <summary>Work that goes on when all who waited for it have gone.</summary>
internal static class UnwatchedTask
{
    /// <summary>The task itself. An error that nobody is there to see does not come back as <see cref="TaskScheduler.UnobservedTaskException"/>.</summary>
    public static TTask Unwatched<TTask>(this TTask work) where TTask : Task
    {
        _ = work.ContinueWith(failed => failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return work;
    }
}
