namespace ManagedTransformers.Kernels;

/// <summary>A job that knows how many tasks it has.</summary>
internal interface ICountedJob : IJob
{
    /// <summary>Its tasks are 0 … Tasks − 1.</summary>
    int Tasks { get; }
}

/// <summary>Several jobs of one kind as one: their tasks are numbered one after the other, and all threads work until the last is done.</summary>
internal readonly unsafe struct JobGroup<TJob> : IJob
    where TJob : unmanaged, ICountedJob
{
    private readonly TJob* _jobs;

    private JobGroup(TJob* jobs) => _jobs = jobs;

    /// <summary>Runs all of them.</summary>
    /// <param name="jobs">[count], alive until this returns.</param>
    /// <param name="count">Jobs.</param>
    /// <param name="threads">The most threads that work at once.</param>
    public static void Run(TJob* jobs, int count, int threads)
    {
        int tasks = 0;
        for (int i = 0; i < count; i++) tasks += jobs[i].Tasks;
        WorkerPool.Shared.Run(tasks, threads, new JobGroup<TJob>(jobs));
    }

    /// <summary>A task of the job that it belongs to.</summary>
    public void Execute(int task)
    {
        TJob* job = _jobs;
        for (; task >= job->Tasks; job++) task -= job->Tasks;
        job->Execute(task);
    }
}
