using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

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
/// <para>
/// Workers are invited, not counted on: one that gets no core in time finds the call closed, and the caller has done its tasks. The caller
/// waits only for workers inside the call, that is for tasks that have begun, so that beside a busy neighbour it is no slower than alone.
/// </para>
/// </remarks>
internal sealed unsafe class WorkerPool
{
    /// <summary>Passing over fewer floats than this costs less than another thread does.</summary>
    public const int SerialFloats = 16 * 1024;

    private const int MaxWorkers = 255;

    // _call: how many workers are inside, the workers that may enter (the first n of the list), and whether none may any more.
    private const int Inside = 0xFFFF, InvitedShift = 16, Closed = int.MinValue;

    private readonly Action<ThreadStart> _startThread;
    private readonly List<Worker> _workers = [];
    private readonly Gate _done = new();
    private int _busy;                       // 1 while a caller owns the fields below
    private int _call = Closed;
    private void* _job;                      // the caller's TJob, on its stack
    private delegate*<WorkerPool, void> _takeTasks;
    private int _tasks;
    private int _next;                       // the next task that nobody has taken
    private Exception? _error;
    private int _threadCount;

    /// <summary>A pool of its own, for tests; <paramref name="startThread"/> starts a worker's loop.</summary>
    public WorkerPool(Action<ThreadStart>? startThread = null) => _startThread = startThread ?? StartThread;

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
            _error = null;
            Interlocked.Exchange(ref _call, helpers << InvitedShift);        // the fields above are written, the gates below still closed
            for (int i = 0; i < helpers; i++) _workers[i].Start.Open();
            TakeTasks<TJob>(this);
            if ((Interlocked.Or(ref _call, Closed) & Inside) != 0) _done.Wait();

            _job = null;
            if (_error is { } error) ExceptionDispatchInfo.Throw(error);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    private static void StartThread(ThreadStart loop) => new Thread(loop) { IsBackground = true, Name = "ManagedTransformers worker" }.Start();

    private void AddWorkers(int needed)
    {
        while (_workers.Count < needed)
        {
            _workers.Add(new Worker(this, _workers.Count));
            Volatile.Write(ref _threadCount, _workers.Count);
        }
    }

    private bool Enter(int worker)
    {
        int call = Volatile.Read(ref _call);
        while (call >= 0 && worker < call >> InvitedShift)
        {
            int found = Interlocked.CompareExchange(ref _call, call + 1, call);
            if (found == call) return true;
            call = found;
        }
        return false;
    }

    private void Leave()
    {
        int call = Interlocked.Decrement(ref _call);
        if (call < 0 && (call & Inside) == 0) _done.Open();
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
        private readonly int _index;

        public Worker(WorkerPool pool, int index)
        {
            _pool = pool;
            _index = index;
            pool._startThread(Loop);
        }

        public Gate Start { get; } = new() { Yields = true };

        private void Loop()
        {
            while (true)
            {
                Start.Wait();
                if (!_pool.Enter(_index)) continue;
                _pool._takeTasks(_pool);
                _pool.Leave();
            }
        }
    }
}

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

/// <summary>A door for one waiter: it spins for a while, as the next piece of work mostly comes within microseconds, then sleeps.</summary>
internal sealed class Gate
{
    // Long enough for the gaps inside a layer, short enough to leave the core to others between requests.
    private static readonly long s_spinTicks = Stopwatch.Frequency / 10_000;

    private readonly object _wake = new();   // a plain object: Monitor.Wait and Pulse need one
    private int _open;
    private int _asleep;

    /// <summary>Whether the waiter, while it spins, leaves its core to any thread that wants it: it may come late.</summary>
    public bool Yields { get; init; }

    /// <summary>Lets the waiter through, now or when it comes. Where the gate is open already, the waiter is on its way.</summary>
    public void Open()
    {
        if (Interlocked.Exchange(ref _open, 1) != 0 || Volatile.Read(ref _asleep) == 0) return;
        lock (_wake) Monitor.Pulse(_wake);
    }

    /// <summary>Waits until the gate is opened, and closes it behind itself: what was written before the last opening is visible afterwards.</summary>
    public void Wait()
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _open) == 0)
        {
            Thread.SpinWait(8);
            if (Yields) Thread.Yield();
            if (Stopwatch.GetTimestamp() - start < s_spinTicks) continue;
            Sleep();
            break;
        }
        Interlocked.Exchange(ref _open, 0);
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

/// <summary>Working memory of a thread: grows to the largest need, is used again by the next call, and goes with the thread.</summary>
/// <remarks>
/// Two buffers, because the calling thread also executes tasks: <see cref="ForCall"/> holds what all tasks of a call share,
/// <see cref="ForTask"/> what one task needs. Blocking bounds both; contents are undefined.
/// </remarks>
internal sealed unsafe class Scratch
{
    private const int Alignment = 64;        // a cache line, and a 512-bit vector

    [ThreadStatic]
    private static Scratch? t_call;

    [ThreadStatic]
    private static Scratch? t_task;

    private float[] _memory = [];
    private float* _aligned;

    /// <summary>At least <paramref name="count"/> floats, aligned to a cache line, valid until this thread's next request.</summary>
    public static float* ForCall(long count) => (t_call ??= new Scratch()).Rent(count);

    /// <summary>At least <paramref name="count"/> floats, aligned to a cache line, valid until this thread's next request.</summary>
    public static float* ForTask(long count) => (t_task ??= new Scratch()).Rent(count);

    // On the pinned heap: the address holds while the array lives, and the collector frees it after the thread.
    private float* Rent(long count)
    {
        const int Slack = Alignment / sizeof(float);
        if (count + Slack > _memory.Length)
        {
            _memory = [];                    // first, so that the old one need not live as long as the new one
            _memory = GC.AllocateUninitializedArray<float>(checked((int)(count + Slack)), pinned: true);
            nint address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
            _aligned = (float*)((address + Alignment - 1) & ~(nint)(Alignment - 1));
        }
        return _aligned;
    }
}
