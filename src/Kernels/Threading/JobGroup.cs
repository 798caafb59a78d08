namespace ManagedTransformers.Kernels;

/// <summary>Several jobs of one kind as one: their tasks are numbered one after the other, and all threads work until the last is done.</summary>
internal unsafe struct JobGroup<TJob> : IJob
    where TJob : unmanaged, IJob
{
    /// <summary>The jobs, which the caller keeps alive.</summary>
    public TJob* Jobs;

    /// <summary>[jobs + 1]: each job's first task, and behind the last the number of all tasks.</summary>
    public int* Starts;

    /// <summary>Task number task − Starts[i] of the job i that it belongs to.</summary>
    public readonly void Execute(int task)
    {
        int job = 0;
        while (task >= Starts[job + 1]) job++;
        Jobs[job].Execute(task - Starts[job]);
    }
}
