using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using ManagedTransformers.Testing;
using Win32Exception = System.ComponentModel.Win32Exception;

namespace ManagedTransformers.Cli.Tests;

/// <summary>--corpus with --cluster: the machines of a fleet write what one machine writes.</summary>
[TestFixture]
internal sealed class ClusterCorpusCommandTests
{
    private string _folder = null!, _input = null!;

    [SetUp]
    public void NameInput()
    {
        _folder = Folders.Scratch();
        _input = Path.Combine(_folder, "in.jsonl");
    }

    [Test]
    public async Task A_fleet_of_one_writes_what_a_machine_alone_writes()
    {
        Write(50);
        string where = $"localhost:{Ports.Free()}";
        using var end = new CancellationTokenSource();
        Task<MtxRun> serving = MtxRun.RunAsync(TextReader.Null, terminal: false, end.Token,
            "serve", "--cluster", where, "--model", "demo-embed", "--port", $"{Ports.Free()}", "--json");
        string[] command = ["embed", "--corpus", _input, "--shard-size", "500", "--no-normalize", "--json", "--out"];
        MtxRun there;
        long began = Stopwatch.GetTimestamp();
        do                                                                // until the silo has started
            there = await MtxRun.RunAsync(TextReader.Null, terminal: false, default, [.. command, Path.Combine(_folder, "there"), "--cluster", where]);
        while (there.ExitCode == 3 && there.Error.Contains("cannot be joined", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(began).TotalSeconds < 60);
        Assert.That(there.ExitCode, Is.Zero, there.Error);
        MtxRun alone = MtxRun.Of([.. command, Path.Combine(_folder, "alone")]);
        Assert.That(there.Json.GetProperty("fingerprint").GetString(), Is.EqualTo(alone.Json.GetProperty("fingerprint").GetString()));
        Assert.That((there.Json.GetProperty("texts").GetInt32(), there.Json.GetProperty("computed").GetInt32()),
            Is.EqualTo((50, alone.Json.GetProperty("shards").GetInt32())));
        Assert.That(Contents("there"), Is.EqualTo(Contents("alone")));
        MtxRun other = await MtxRun.RunAsync(TextReader.Null, terminal: false, default, "classify", "--corpus", _input, "--out",
            Path.Combine(_folder, "other"), "--cluster", where, "--model", "demo-embed");
        Assert.That((other.ExitCode, other.Error), Is.EqualTo((3, other.Error)));
        Assert.That(other.Error, Does.Contain("The model demo-embed cannot classify"));
        await end.CancelAsync();
        Assert.That((await serving).ExitCode, Is.Zero);
    }

    [TestCase("--cluster is for --corpus FILE.", "embed", "x", "--cluster", "localhost")]
    [TestCase("--threads and --cluster exclude each other", "embed", "--corpus", "in.jsonl", "--out", "x", "--cluster", "localhost", "--threads", "2")]
    [TestCase("--cluster is nowhere; localhost[:PORT] or redis://", "tag", "--corpus", "in.jsonl", "--out", "x", "--cluster", "nowhere")]
    public void What_does_not_go_together_is_refused(string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((2, run.Error)));
        Assert.That(run.Error, Does.Contain(message));
    }

    [Test]
    public async Task Who_looks_for_a_fleet_without_silos_hears_that_there_is_none()
    {
        Write(1);
        using Process redis = StartRedis(out int port);
        string where = $"redis://127.0.0.1:{port}/nobody";
        try
        {
            while (ClusterAddress.IsFree(System.Net.IPAddress.Loopback, port))         // until it listens
                await Task.Delay(20);
            MtxRun[] runs = await Task.WhenAll(
                MtxRun.RunAsync(TextReader.Null, terminal: false, default, "embed", "--corpus", _input, "--out", Path.Combine(_folder, "none"),
                    "--model", "demo-embed", "--cluster", where),
                MtxRun.RunAsync(TextReader.Null, terminal: false, default, "serve", "--cluster", where, "--gateway-only", "--port", "0"));
            foreach (MtxRun run in runs)
            {
                Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
                Assert.That(run.Error, Does.Contain(
                    $"mtx: No silo of the cluster \"nobody\" in the Redis at 127.0.0.1:{port} answered within 30 s. Start one with \"mtx serve --cluster\""));
            }
        }
        finally
        {
            Kill(redis);
        }
    }

    /// <summary>Three processes over Redis, of which one is killed at moments that nobody chose and started again, and twice the caller.</summary>
    [TestCase(20_000, 3)]
    [TestCase(200_000, 10)]
    [Category("Corpora")]
    [Explicit("Kills processes, and waits until the others notice: minutes")]
    public void Kills_of_a_fleets_processes_leave_what_one_machine_writes(int texts, int kills)
    {
        Write(texts);
        string[] command = ["embed", "--corpus", _input, "--shard-size", $"{texts}", "--json", "--out"];
        Assert.That(MtxRun.Of([.. command, Path.Combine(_folder, "whole")]).ExitCode, Is.Zero);
        string there = Path.Combine(_folder, "there");
        using Process redis = StartRedis(out int port);
        string where = $"redis://127.0.0.1:{port}/corpora";
        Process Silo(int i) =>
            Start("serve", "--cluster", where, "--model", "demo-embed", "--preload", "--port", $"{Ports.Free()}", "--silo-name", $"silo-{i}");
        Process Caller() => Start([.. command, there, "--cluster", where]);
        var random = new Random(24);
        Process[] silos = [.. Enumerable.Range(0, 3).Select(Silo)];
        var clock = Stopwatch.StartNew();
        try
        {
            Thread.Sleep(5000);
            Process caller = Caller();
            int killed = 0, shards = Directory.GetFiles(Path.Combine(_folder, "whole"), "shard-*").Length;
            for (; killed < kills; killed++)
            {
                double due = (killed + random.NextDouble()) / (kills + 1) * shards;
                while (!caller.HasExited && Done(there) < due) Thread.Sleep(50);
                if (Done(there) == shards) break;
                Assert.That(caller.HasExited, Is.False, "the caller waits for the silos");
                if (killed % 5 == 2)
                {
                    Kill(caller);
                    caller = Caller();
                }
                else
                {
                    int silo = random.Next(3);
                    Kill(silos[silo]);
                    silos[silo] = Silo(silo);
                }
                string what = killed % 5 == 2 ? "the caller" : "a silo";
                TestContext.Progress.WriteLine($"{clock.Elapsed:mm\\:ss} {what} killed, {Done(there)} of {shards} shards");
            }
            caller.WaitForExit();
            TestContext.Out.WriteLine($"{texts} texts, {killed} kills, {clock.Elapsed.TotalSeconds:F0} s");
            Assert.That((caller.ExitCode, killed), Is.EqualTo((0, kills)));
            Assert.That(Contents("there"), Is.EqualTo(Contents("whole")));
            Assert.That(Directory.GetFiles(there, "*" + Unfinished.Suffix), Is.Empty);
        }
        finally
        {
            foreach (Process silo in silos) Kill(silo);
            Kill(redis);
        }
    }

    private static int Done(string directory) => Directory.Exists(directory) ? Directory.GetFiles(directory, "shard-*").Length : 0;

    private static void Kill(Process process)
    {
        if (!process.HasExited) process.Kill();
        process.WaitForExit();
        process.Dispose();
    }

    private static Process Start(params string[] args)
    {
        Process process = Process.Start(new ProcessStartInfo(MtxProcess.Command[0], [.. MtxProcess.Command[1..], .. args])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => TestContext.Progress.WriteLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static Process StartRedis(out int port)
    {
        port = Ports.Free();
        try
        {
            return Process.Start(new ProcessStartInfo("redis-server", ["--port", $"{port}", "--save", "", "--appendonly", "no"])
            {
                UseShellExecute = false, RedirectStandardOutput = true,
            })!;
        }
        catch (Win32Exception e)
        {
            Assert.Ignore($"redis-server does not start here ({e.Message}).");
            throw;
        }
    }

    private void Write(int texts) =>
        File.WriteAllLines(_input, Enumerable.Range(0, texts).Select(i => JsonSerializer.Serialize(new { text = $"x{i} = {(long)i * i}" })));

    // Every id once: whole files are compared, and those of one machine have that.
    private string Contents(string name) => string.Join('\n', Directory.GetFiles(Path.Combine(_folder, name), "*.json*").Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetFileName(file)}\n{Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))}"));
}
