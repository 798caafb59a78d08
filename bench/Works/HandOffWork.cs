using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>What it costs to have all threads meet once: a thousand jobs without work, so that milliseconds are microseconds for each.</summary>
internal sealed class HandOffWork(KernelOptions kernels) : Work("1000 hand-offs between threads", kernels)
{
    private const int Count = 1000;

    public override void Run()
    {
        for (int i = 0; i < Count; i++)
            WorkerPool.Shared.Run(Kernels.MaxThreads, Kernels.MaxThreads, default(Nothing));
    }

    private readonly struct Nothing : IJob
    {
        public void Execute(int task)
        {
        }
    }
}
