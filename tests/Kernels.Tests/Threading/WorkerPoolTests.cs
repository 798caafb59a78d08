namespace ManagedTransformers.Kernels.Tests;

public sealed unsafe class WorkerPoolTests
{
    private readonly struct Count(int[] counts) : IJob
    {
        public void Execute(int task) => Interlocked.Increment(ref counts[task]);
    }

    private readonly struct Fail(int at, int[] counts) : IJob
    {
        public void Execute(int task)
        {
            Interlocked.Increment(ref counts[0]);
            if (task == at) throw new InvalidDataException("task " + task);
        }
    }

    private readonly struct Nest(WorkerPool pool, int[] counts) : IJob
    {
        public void Execute(int task) => pool.Run(10, 4, new Count(counts));
    }

    private readonly struct Names(HashSet<int> threads) : IJob
    {
        public void Execute(int task)
        {
            lock (threads) threads.Add(Environment.CurrentManagedThreadId);
        }
    }

    private sealed class Meeting(int parties) : IDisposable
    {
        public Barrier Barrier { get; } = new(parties);

        public void Dispose() => Barrier.Dispose();
    }

    private readonly struct Meet(Meeting meeting) : IJob
    {
        public void Execute(int task) => meeting.Barrier.SignalAndWait();
    }

    [Test]
    public void Every_task_runs_exactly_once([Values(0, 1, 2, 3, 1000)] int tasks, [Values(1, 2, 3, 8)] int threads)
    {
        var pool = new WorkerPool();
        for (int round = 1; round <= 50; round++)
        {
            int[] counts = new int[tasks];
            pool.Run(tasks, threads, new Count(counts));
            Assert.That(counts, Is.All.EqualTo(1));
        }
    }

    [Test]
    public void MaxThreads_1_never_makes_a_thread_and_stays_on_the_caller()
    {
        var pool = new WorkerPool();
        var threads = new HashSet<int>();
        pool.Run(100, 1, new Names(threads));
        Assert.That(threads, Is.EqualTo(new[] { Environment.CurrentManagedThreadId }));
        Assert.That(pool.ThreadCount, Is.Zero);
    }

    [Test]
    public void Three_tasks_that_wait_for_each_other_need_and_get_three_threads()
    {
        var pool = new WorkerPool();
        using var meeting = new Meeting(3);
        pool.Run(3, 3, new Meet(meeting));
        Assert.That(pool.ThreadCount, Is.EqualTo(2));
    }

    [Test]
    public void A_caller_whose_workers_get_no_core_does_all_tasks_itself_and_waits_for_none()
    {
        var loops = new List<ThreadStart>();
        var pool = new WorkerPool(loops.Add);                             // threads that exist, and never run
        int[] counts = new int[10];
        var threads = new HashSet<int>();
        pool.Run(10, 4, new Count(counts));
        pool.Run(10, 4, new Names(threads));
        Assert.That(counts, Is.All.EqualTo(1));
        Assert.That(threads, Is.EqualTo(new[] { Environment.CurrentManagedThreadId }));
        Assert.That((loops.Count, pool.ThreadCount), Is.EqualTo((3, 3)));
    }

    [Test]
    public void A_worker_that_comes_late_enters_the_next_call_and_one_that_is_not_invited_does_not()
    {
        var loops = new List<ThreadStart>();
        var pool = new WorkerPool(loops.Add);
        pool.Run(10, 3, new Count(new int[10]));
        foreach (ThreadStart loop in loops) new Thread(loop) { IsBackground = true }.Start();
        using var meeting = new Meeting(2);
        pool.Run(2, 2, new Meet(meeting));                                // needs the first worker
        for (int round = 0; round < 200; round++)
        {
            var threads = new HashSet<int>();
            pool.Run(64, 2, new Names(threads));
            Assert.That(threads, Has.Count.LessThanOrEqualTo(2));
        }
    }

    [Test]
    public void Workers_that_have_gone_to_sleep_wake_up_again()
    {
        var pool = new WorkerPool();
        for (int round = 0; round < 20; round++)
        {
            using var meeting = new Meeting(2);
            pool.Run(2, 2, new Meet(meeting));
            Thread.Sleep(2);                                              // longer than a gate spins
        }
        Assert.That(pool.ThreadCount, Is.EqualTo(1));
    }

    [Test]
    public void An_exception_reaches_the_caller_and_the_pool_works_on([Values(1, 2, 4)] int threads, [Values(0, 50, 99)] int at)
    {
        var pool = new WorkerPool();
        int[] begun = new int[1];
        Assert.That(() => pool.Run(100, threads, new Fail(at, begun)), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("task " + at));
        Assert.That(begun[0], Is.InRange(1, 100));
        int[] counts = new int[100];
        pool.Run(100, threads, new Count(counts));
        Assert.That(counts, Is.All.EqualTo(1));
    }

    [Test]
    public void A_nested_call_runs_on_its_own_thread_without_deadlock()
    {
        var pool = new WorkerPool();
        int[] counts = new int[10];
        pool.Run(20, 4, new Nest(pool, counts));
        Assert.That(counts, Is.All.EqualTo(20));
    }

    [Test]
    public void Concurrent_callers_all_get_their_tasks_done()
    {
        var pool = new WorkerPool();
        int[][] counts = [.. Enumerable.Range(0, 6).Select(_ => new int[64])];
        Thread[] callers = [.. counts.Select(own => new Thread(() =>
        {
            for (int round = 0; round < 200; round++) pool.Run(64, 3, new Count(own));
        }))];
        foreach (Thread caller in callers) caller.Start();
        foreach (Thread caller in callers) caller.Join();
        Assert.That(counts.SelectMany(own => own), Is.All.EqualTo(200));
    }

    [Test]
    public void A_call_allocates_nothing_once_the_threads_exist()
    {
        var pool = new WorkerPool();
        int[] counts = new int[16];
        pool.Run(16, 2, new Count(counts));
        pool.Run(16, 2, new Count(counts));
        Assert.That(ManagedTransformers.Testing.Allocations.Of(() => pool.Run(16, 2, new Count(counts))), Is.Zero);
    }

    [Test]
    public void A_matmul_on_one_thread_allocates_nothing_once_its_memory_exists([Values(1, 8)] int m)
    {
        float[] x = Samples.Uniform(m * 64, 1), y = new float[m * 100];
        byte[] w = Samples.Stored(Samples.Uniform(6400, 2), WeightType.F16);
        KernelOptions options = Samples.At(KernelDispatch.Supported[^1], threads: 1);
        void Run() => MatMul.Run(x, m, new WeightMatrix(w, WeightType.F16, 100, 64), y, default, options);
        Run();
        Assert.That(ManagedTransformers.Testing.Allocations.Of(Run), Is.Zero);
    }

    [Test]
    public void Impossible_counts_are_refused()
    {
        var pool = new WorkerPool();
        Assert.That(() => pool.Run(-1, 1, new Count([])), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => pool.Run(1, 0, new Count([])), Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
