using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;

/// <summary>A job that knows how many tasks it has.</summary>
internal interface ICountedJob : IJob
{
    /// <summary>Its tasks are 0 … Tasks − 1.</summary>
    int Tasks { get; }
}

/// <summary>Several jobs of one kind as one: their tasks are numbered one after the other, and all threads work until the last is done.</summary>
internal readonly unsafe struct JobGroup<TJob> : IJob where TJob : unmanaged, ICountedJob
{
    private readonly TJob* _jobs;

    // The jobs stay alive until the group has run.
    public JobGroup(TJob* jobs, int count)
    {
        _jobs = jobs;
        for (int i = 0; i < count; i++) Tasks += jobs[i].Tasks;
    }

    public int Tasks { get; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Execute(int task)
    {
        TJob* job = _jobs;
        for (; task >= job->Tasks; job++) task -= job->Tasks;
        job->Execute(task);
    }
}
