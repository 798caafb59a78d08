namespace ManagedTransformers.Interleavings;

/// <summary>Runs threads one at a time, and draws by a seed at every operation on shared state which of them goes on: one interleaving, the same each
/// time.</summary>
/// <remarks>
/// What it controls: Lock, Monitor, Interlocked, Volatile, Thread, AutoResetEvent and Stopwatch of the explored sources, and what they start on
/// the thread pool. What it does not: volatile and plain fields between two such operations, the order in which a CPU makes writes visible, and the insides of
/// the class library. Threads switch at those operations only, and all see all writes.
/// </remarks>
internal sealed class Schedule
{
    private const int MostSteps = 100_000;

    [ThreadStatic]
    private static Controlled? t_self;

    private readonly Random _random;
    private readonly double _switch;
    private readonly List<Controlled> _threads = [];
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _steps;
    private bool _ending;

    private Schedule(int seed) => (_random, _switch) = (new Random(seed), new[] { 0.03, 0.1, 0.3, 0.7 }[seed % 4]);

    /// <summary>Operations so far.</summary>
    public int Steps => _steps;

    /// <summary>What went wrong; null: nothing.</summary>
    public string? Failure { get; private set; }

    /// <summary>Time, which goes on by operations.</summary>
    public static long Now => t_self is { } self ? self.Owner._steps * 1000L : 0;

    /// <summary>The thread that runs.</summary>
    public static object? Self => t_self;

    /// <summary>Runs threads to their end. Those that they start are drawn from as well, and are over when these are.</summary>
    /// <param name="seed">Which interleaving.</param>
    /// <param name="threads">The threads.</param>
    public static Schedule Run(int seed, params Action[] threads)
    {
        var schedule = new Schedule(seed);
        for (int i = 0; i < threads.Length; i++)
            schedule.Add(threads[i], $"thread {i}", isDaemon: false);
        schedule.Next(null).Turn.Release();
        if (!schedule._over.Task.Wait(TimeSpan.FromMinutes(2)))
            schedule.Failure ??= $"no end: {schedule.Waiting()}";
        return schedule;
    }

    /// <summary>Runs many seeds, until one fails.</summary>
    /// <param name="count">How many.</param>
    /// <param name="run">Runs one, and says what is wrong; null: nothing.</param>
    /// <returns>The seed and what is wrong; null: nothing.</returns>
    public static string? Explore(int count, Func<int, string?> run)
    {
        for (int seed = 0; seed < count; seed++)
        {
            if (run(seed) is string wrong)
                return $"seed {seed}: {wrong}";
        }
        return null;
    }

    /// <summary>An operation on shared state is about to be done: others may go first.</summary>
    public static void Point(double more = 0)
    {
        if (t_self is { IsSilent: false } self)
            self.Owner.Switch(self, more);
    }

    /// <summary>Goes on when something is the case.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        if (t_self is not { IsSilent: false } self)
        {
            SpinWait.SpinUntil(condition);
            return;
        }
        (self.Condition, self.What) = (condition, what);
        self.Owner.Switch(self, more: 1);
        self.Condition = null;
    }

    /// <summary>Does several operations as one.</summary>
    public static void AsOne(Action work)
    {
        bool before = t_self?.IsSilent ?? false;
        if (t_self is { } self)
            self.IsSilent = true;
        try
        {
            work();
        }
        finally
        {
            if (t_self is { } same)
                same.IsSilent = before;
        }
    }

    /// <summary>Starts a thread that is drawn from; outside of a schedule, a thread.</summary>
    public static void Start(Action work, string name)
    {
        if (t_self is { } self)
            self.Owner.Add(work, name, isDaemon: true);
        else
            _ = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Add(Action work, string name, bool isDaemon)
    {
        var thread = new Controlled(this, name, isDaemon);
        _threads.Add(thread);
        _ = Task.Factory.StartNew(() => Body(thread, work), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Body(Controlled thread, Action work)
    {
        t_self = thread;
        thread.Turn.Wait();
        try
        {
            if (!_ending)
                work();
        }
        catch (ScheduleOverException)
        {
        }
        catch (Exception e)
        {
            Failure ??= $"{thread.Name}: {e}";
        }
        t_self = null;
        thread.IsOver = true;
        _ending |= Failure is not null || _threads.TrueForAll(one => one.IsOver || one.IsDaemon);
        if (_threads.TrueForAll(one => one.IsOver))
            _over.SetResult();
        else
            Next(null).Turn.Release();
    }

    private void Switch(Controlled self, double more)
    {
        ObjectDisposedException.ThrowIf(self.IsOver, self);
        if (_ending)
            throw new ScheduleOverException();
        if (++_steps > MostSteps)
            Fail($"no end after {MostSteps} operations: {Waiting()}");
        if (self.IsEnabled && _random.NextDouble() >= Math.Max(_switch, more))
            return;
        Controlled next = Next(self);
        if (next != self)
        {
            next.Turn.Release();
            self.Turn.Wait();
        }
        if (_ending)
            throw new ScheduleOverException();
    }

    private void Fail(string what)
    {
        Failure ??= what;
        _ending = true;
        throw new ScheduleOverException();
    }

    private Controlled Next(Controlled? self)
    {
        List<Controlled> enabled = Enabled();
        // What the class library continues on the thread pool comes a moment later.
        if (enabled.Count == 0)
            SpinWait.SpinUntil(() => (enabled = Enabled()).Count > 0, TimeSpan.FromSeconds(10));
        if (enabled.Count == 0)
        {
            Failure ??= $"all wait: {Waiting()}";
            _ending = true;
            enabled = Enabled();
        }
        return enabled[_random.Next(enabled.Count)];
    }

    private List<Controlled> Enabled() => _threads.FindAll(one => !one.IsOver && (_ending || one.IsEnabled));

    private string Waiting() =>
        string.Join("; ", _threads.Where(one => !one.IsOver).Select(one => $"{one.Name} {(one.Condition is null ? "runs" : one.What)}"));

    private sealed class Controlled(Schedule owner, string name, bool isDaemon)
    {
        public Schedule Owner => owner;
        public string Name => name;
        public bool IsDaemon => isDaemon;
        public SemaphoreSlim Turn { get; } = new(0);
        public Func<bool>? Condition { get; set; }
        public string What { get; set; } = "";
        public bool IsOver { get; set; }
        public bool IsSilent { get; set; }
        public bool IsEnabled => Condition is null || Condition();
    }
}

/// <summary>Unwinds what still runs when a schedule is over.</summary>
internal sealed class ScheduleOverException : Exception;
