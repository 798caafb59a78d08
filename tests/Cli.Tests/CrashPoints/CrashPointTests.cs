using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>
/// Every writer, killed at every call of the operating system that changes files, and with a full and with a broken disk at every one: what is in its place is
/// the old content or the new, whole, and the next run makes the new and leaves nothing else.
/// </summary>
[TestFixture]
internal sealed class CrashPointTests
{
    private static readonly string[] Failing = ["pwrite64", "fsync", "rename", "renameat2", "link", "unlink", "mkdir", "ftruncate"];

    /// <summary>Where pull downloads from.</summary>
    public static HubServer Hub { get; private set; } = null!;

    [OneTimeSetUp]
    public void OpenHub()
    {
        Hub = new HubServer(WriterCases.PulledModel);
        foreach (string file in Directory.EnumerateFiles(Folders.Case("llama-bf16-sharded")).Where(file => Path.GetFileName(file) != "expected.safetensors"))
            Hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
    }

    [OneTimeTearDown]
    public void CloseHub() => Hub.Dispose();

    [TestCaseSource(typeof(WriterCases), nameof(WriterCases.All))]
    [Category("CrashPoints")]
    [Explicit("Starts a process for each of hundreds of calls: minutes")]
    public void Killed_at_every_call(WriterCase writer)
    {
        var sweep = new Sweep(writer);
        CrashPoint[] points = sweep.Points;
        CrashPoint[] missed = [.. points.Where(point => !Try(() => sweep.Kill(point)))];
        int distinct = points.Select(point => (point.Call, point.Number)).Distinct().Count();
        TestContext.Out.WriteLine($"{writer}: {points.Length} points ({distinct} distinct), {points.Length - missed.Length} reached");
        Assert.That(missed, Is.Empty);
    }

    [TestCaseSource(typeof(WriterCases), nameof(WriterCases.All))]
    [Category("CrashPoints")]
    [Explicit("Starts a process for each of hundreds of calls: minutes")]
    public void A_full_or_broken_disk_at_every_call(WriterCase writer)
    {
        var sweep = new Sweep(writer);
        CrashPoint[] points = [.. sweep.Points.Where(point => Failing.Contains(point.Call))];
        CrashPoint[] writes = [.. points.Where(point => point.Call == "pwrite64")];
        int broken = points.Count(point => Try(() => sweep.Fail(point, "EIO", forever: false)));
        int full = writes.Count(point => Try(() => sweep.Fail(point, "ENOSPC", forever: true)));
        TestContext.Out.WriteLine($"{writer}: {broken} of {points.Length} calls with EIO, {full} of {writes.Length} with ENOSPC");
        Assert.That((broken, full), Is.EqualTo((points.Length, writes.Length)));
        Assert.That(full, Is.Positive);
    }

    /// <summary>strace counts a thread's calls, and what several threads do has no one order; nor do bytes of a network come in the same pieces.</summary>
    private static bool Try(Func<bool> reach) => Enumerable.Range(0, 8).Any(_ => reach());

    /// <summary>A few of them, for every run of the tests: the step that publishes, and what comes before and after it.</summary>
    [TestCaseSource(typeof(WriterCases), nameof(WriterCases.All))]
    public void Killed_where_it_matters_most(WriterCase writer)
    {
        var sweep = new Sweep(writer);
        CrashPoint[] points = sweep.Points;
        int publishing = Array.FindLastIndex(points, point => point.Call.StartsWith("rename", StringComparison.Ordinal) || point.Call == "link");
        if (publishing < 0) publishing = Array.FindLastIndex(points, point => point.Call == "pwrite64");
        Assert.That(publishing, Is.Positive);
        Assert.That(Try(() => sweep.Kill(points[publishing])), Is.True);
        if (writer.Name is "convert to shards over one file" or "convert where nothing can be exchanged" or "session" or "sample")
        {
            if (publishing + 1 < points.Length) Assert.That(Try(() => sweep.Kill(points[publishing + 1])), Is.True);
            CrashPoint write = points.Last(point => point.Call == "pwrite64");
            Assert.That(Try(() => sweep.Fail(write, "ENOSPC", forever: true)), Is.True);
        }
    }

    /// <summary>One writer, run again and again.</summary>
    private sealed class Sweep
    {
        private readonly WriterCase _writer;
        private readonly string _scratch = Folders.Scratch();
        private readonly string _before, _after;
        private int _runs;

        public Sweep(WriterCase writer)
        {
            _writer = writer;
            string root = NewRoot();
            _before = WriterCase.Contents(root);
            TracedRun run = Run(root);
            Assert.That(run.ExitCode, Is.Zero, run.Error);
            (_after, Points) = (WriterCase.Contents(root), [.. run.Points]);
            Assert.That(_after, Is.Not.EqualTo(_before));
            Assert.That(WriterCase.Leftovers(root), Is.Empty);
            Assert.That(Points, Is.Not.Empty);
        }

        /// <summary>The calls of a run to its end that concern what is written.</summary>
        public CrashPoint[] Points { get; }

        /// <returns>Whether the process was killed at a call on the output.</returns>
        public bool Kill(CrashPoint point)
        {
            string root = NewRoot();
            TracedRun run = Run(root, $"{point.Call}:signal=KILL:when={point.Number}");
            string what = $"{_writer}, killed at {point.Call} {point.Number}: {point.Line}";
            Assert.That(run.IsKilled || run.ExitCode == 0, Is.True, $"{what}: exit code {run.ExitCode}, {run.Error}");
            AssertWhole(root, what);
            AssertNextRun(root, what);
            return run.IsKilled && run.Points.Count > 0 && run.Points[^1].Call == point.Call;
        }

        /// <returns>Whether the call was made, and failed.</returns>
        public bool Fail(CrashPoint point, string error, bool forever)
        {
            string root = NewRoot();
            TracedRun run = Run(root, $"{point.Call}:error={error}:when={point.Number}{(forever ? "+" : "")}");
            string what = $"{_writer}, {error} at {point.Call} {point.Number}: {point.Line}: exit code {run.ExitCode}, {run.Error}";
            AssertWhole(root, what);
            // What is only removed afterwards, or was tried first, does not make a run fail.
            bool failed = run.Points.Any(made => made.Line.EndsWith("(INJECTED)", StringComparison.Ordinal));
            if (run.ExitCode != 0 || WriterCase.Contents(root) != _after || (failed && point.Call == "pwrite64"))
            {
                Assert.That(run.ExitCode, Is.EqualTo(3), what);
                // A directory that cannot be flushed is named; else the file is.
                string named = point.Call == "fsync" ? root : Path.Combine(root, "out");
                Assert.That(run.Error, Does.Contain(error == "EIO" ? "Input/output error" : "No space left on device").And.Contain(named), what);
            }
            AssertNextRun(root, what);
            return failed;
        }

        private void AssertWhole(string root, string what)
        {
            string now = WriterCase.Contents(root);
            if (now != _before && now != _after) Assert.That(_writer.MayBeBetween(root), Is.True, $"{what}\n{now}");
        }

        private void AssertNextRun(string root, string what)
        {
            bool done = WriterCase.Contents(root) == _after && _after != _before;
            using (Assert.EnterMultipleScope())
            {
                MtxRun run = RunPlainly(root);
                bool refused = done && _writer.RefusesResult is not null;
                Assert.That(run.ExitCode, Is.EqualTo(refused ? 3 : 0), $"{what}\nnext run: {run.Error}");
                if (refused) Assert.That(run.Error, Does.Contain(_writer.RefusesResult), what);
                Assert.That(WriterCase.Contents(root), Is.EqualTo(_after), what);
                Assert.That(WriterCase.Leftovers(root), Is.Empty, what);
            }
            Directory.Delete(root, recursive: true);
        }

        private TracedRun Run(string root, string? injection = null) =>
            Strace.Run(_writer.Command(root), root, _writer.WorkingDirectory(root), _writer.Environment(root), injection);

        /// <summary>Without strace, in this process where nothing but the command line matters.</summary>
        private MtxRun RunPlainly(string root)
        {
            string[] command = _writer.Command(root);
            if (_writer.IsMtx && !_writer.RunsInside && _writer.Environment(root).Count == 0) return MtxRun.Of(command[2..]);
            IEnumerable<string> environment = _writer.Environment(root).Select(pair => $"{pair.Key}={pair.Value}");
            return MtxProcess.Run("env", ["-C", _writer.WorkingDirectory(root), .. environment, .. command]);
        }

        private string NewRoot()
        {
            string root = Directory.CreateDirectory(Path.Combine(_scratch, $"run{_runs++}")).FullName;
            _writer.Prepare(root);
            return root;
        }
    }
}
