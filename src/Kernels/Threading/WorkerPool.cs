using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace ManagedTransformers.Kernels;

/// <summary>Work that falls into numbered, independent tasks.</summary>
internal interface IJob
{
    /// <summary>Does task number <paramref name="task"/>; called once for each number, from any of the threads.</summary>
    void Execute(int task);
}

/// <summary>The threads that kernels compute on: made when first needed, waiting between calls, gone with the process.</summary>
/// <remarks>
/// One call computes at a time. A call that finds the pool busy (from another thread, or from inside a task) does all of its
/// tasks on its own thread: it never waits for the other call, so nothing can deadlock. Which thread does which task is left to
/// chance; jobs are cut so that a task's result does not depend on it.
/// </remarks>
internal sealed unsafe class WorkerPool
{
    /// <summary>Passing over fewer floats than this costs less than another thread does.</summary>
    public const int SerialFloats = 16 * 1024;

    private const int MaxWorkers = 255;

    private readonly List<Worker> _workers = [];
    private readonly Gate _done = new();
    private int _busy;                       // 1 while a call owns the fields below
    private void* _job;                      // the caller's TJob, on its stack
    private delegate*<WorkerPool, void> _takeTasks;
    private int _tasks;
    private int _next;                       // the next task that nobody has taken
    private int _running;                    // workers that have not finished yet
    private Exception? _error;
    private int _threadCount;

    /// <summary>The pool of this process.</summary>
    public static WorkerPool Shared { get; } = new();

    /// <summary>Threads made so far, callers not counted.</summary>
    public int ThreadCount => Volatile.Read(ref _threadCount);

    /// <summary>Executes tasks 0 … <paramref name="tasks"/> − 1 and returns when all are done. Allocates nothing in steady state.</summary>
    /// <param name="tasks">How many.</param>
    /// <param name="maxThreads">The most threads that work at once, the calling one included; 1: this thread only.</param>
    /// <param name="job">Copied once; all threads see the same copy.</param>
    /// <exception cref="ArgumentOutOfRangeException">tasks is negative, or maxThreads is less than 1.</exception>
    /// <remarks>The first exception that a task throws ends the call: tasks not yet begun are dropped, and it is thrown here.</remarks>
    public void Run<TJob>(int tasks, int maxThreads, in TJob job) where TJob : struct, IJob
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tasks);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxThreads, 1);
        TJob copy = job;
        int helpers = Math.Min(Math.Min(tasks, maxThreads) - 1, MaxWorkers);
        if (helpers <= 0 || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            for (int task = 0; task < tasks; task++) copy.Execute(task);
            return;
        }
        try
        {
            AddWorkers(helpers);
            _job = Unsafe.AsPointer(ref copy);
            _takeTasks = &TakeTasks<TJob>;
            _tasks = tasks;
            _next = 0;
            _running = helpers;
            _error = null;
            for (int i = 0; i < helpers; i++) _workers[i].Start.Open();
            TakeTasks<TJob>(this);
            _done.Wait();

            _job = null;
            if (_error is { } error) ExceptionDispatchInfo.Throw(error);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    private void AddWorkers(int needed)
    {
        while (_workers.Count < needed)
        {
            _workers.Add(new Worker(this));
            Volatile.Write(ref _threadCount, _workers.Count);
        }
    }

    // Optimized at once, so that groups of jobs add no frame to what a debugger shows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeTasks<TJob>(WorkerPool pool) where TJob : struct, IJob
    {
        try
        {
            ref TJob job = ref Unsafe.AsRef<TJob>(pool._job);
            int tasks = pool._tasks;
            for (int task = Interlocked.Increment(ref pool._next) - 1; task < tasks; task = Interlocked.Increment(ref pool._next) - 1)
                job.Execute(task);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref pool._error, e, null);
            Volatile.Write(ref pool._next, pool._tasks);         // the other threads find nothing left
        }
    }

    // One background thread; it never outlives the process and never ends before.
    private sealed class Worker
    {
        private readonly WorkerPool _pool;

        public Worker(WorkerPool pool)
        {
            _pool = pool;
            new Thread(Loop) { IsBackground = true, Name = "ManagedTransformers worker" }.Start();
        }

        public Gate Start { get; } = new();

        private void Loop()
        {
            while (true)
            {
                Start.Wait();
                _pool._takeTasks(_pool);
                if (Interlocked.Decrement(ref _pool._running) == 0) _pool._done.Open();
            }
        }
    }
}
