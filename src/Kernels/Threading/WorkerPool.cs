namespace ManagedTransformers.Kernels;

/// <summary>Work that falls into numbered, independent tasks.</summary>
public interface IJob
{
    /// <summary>Does task number <paramref name="task"/>; called once for each number, from any thread.</summary>
    void Execute(int task);
}

/// <summary>The threads that kernels compute on.</summary>
public sealed class WorkerPool
{
    /// <summary>The pool of this process.</summary>
    public static WorkerPool Shared { get; } = new();

    /// <summary>Executes tasks 0 … <paramref name="tasks"/> − 1 and returns when all are done.</summary>
    public void Run<TJob>(int tasks, int maxThreads, in TJob job)
        where TJob : struct, IJob
    {
        for (int task = 0; task < tasks; task++) job.Execute(task);
    }
}
