using System.Collections.Concurrent;
using System.Diagnostics;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx cluster: several servers, started again when they end.</summary>
[TestFixture]
internal sealed class ClusterCommandTests
{
    [TestCase("--silos is 17; at most 16 are possible", "--silos", "17")]
    [TestCase("--port is 65535, and 2 silos need the ports up to 65536; at most 65535 is possible", "--silos", "2", "--port", "65535")]
    [TestCase("There is no option --models", "--models", "demo-codegen")]
    [TestCase("--cluster is abc; localhost[:PORT] or redis://", "--cluster", "abc")]
    [TestCase("--dashboard cannot be given to every silo", "--", "--dashboard", "5000")]
    [TestCase("--silo-port cannot be given to every silo", "--", "--model", "demo-embed", "--silo-port=5000")]
    [TestCase("--dashboard cannot be given to every silo", "--", "--dashboard:5000")]
    public void What_makes_no_sense_is_said(string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(["cluster", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
    }

    [Test]
    public async Task A_process_that_ends_is_started_again_and_its_lines_come_under_its_name()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("It is tried with /bin/sh.");
        var lines = new ConcurrentQueue<string>();
        using var end = new CancellationTokenSource();
        var process = new SupervisedProcess("a", ["/bin/sh", "-c", "echo one; echo two >&2; exit 7"], TimeSpan.FromSeconds(5), lines.Enqueue);
        Task running = process.RunAsync(end.Token);
        await process.Spoke;
        while (lines.Count < 4)
            await Task.Delay(5);
        await end.CancelAsync();
        await running;
        Assert.That(lines.Take(2), Is.EquivalentTo(new[] { "a | one", "a | two" }));
        Assert.That(lines.ElementAt(2), Is.EqualTo("a | ended with exit code 7, and is started again in 1 s"));
        Assert.That(lines.ElementAt(3), Is.AnyOf("a | one", "a | two"));
    }

    [Test]
    public async Task A_process_that_does_not_understand_its_command_line_is_not_started_again()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("It is tried with /bin/sh.");
        var lines = new ConcurrentQueue<string>();
        var process = new SupervisedProcess("a", ["/bin/sh", "-c", "echo no such option >&2; exit 2"], TimeSpan.FromSeconds(5), lines.Enqueue);
        Assert.That(await process.RunAsync(CancellationToken.None), Is.EqualTo(2));
        Assert.That((process.LastError, lines), Is.EqualTo(("no such option", new[] { "a | no such option" })));
    }

    [Test]
    public void What_mtx_serve_does_not_understand_ends_all()
    {
        MtxRun run = MtxRun.Of("cluster", "--silos", "2", "--", "--no-such-option");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.StartWith("mtx: mtx serve cannot run so: There is no option --no-such-option.").And.EndWith("See mtx serve --help.\n"));
    }

    [Test]
    public async Task A_process_is_asked_to_end_and_killed_only_when_it_does_not()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("It is tried with /bin/sh.");
        var lines = new ConcurrentQueue<string>();
        using var end = new CancellationTokenSource();
        const string polite = "trap 'echo bye; exit 0' TERM; echo one; while :; do sleep 0.05; done",
            stubborn = "trap '' TERM; echo one; while :; do sleep 0.05; done";
        SupervisedProcess[] both = [.. ((string[])[polite, stubborn]).Select((script, i) =>
            new SupervisedProcess($"{i}", ["/bin/sh", "-c", script], TimeSpan.FromSeconds(0.5), lines.Enqueue))];
        Task running = Task.WhenAll(both.Select(process => process.RunAsync(end.Token)));
        await Task.WhenAll(both.Select(process => process.Spoke));
        await end.CancelAsync();
        await running;
        Assert.That(lines, Is.EquivalentTo(new[] { "0 | one", "1 | one", "0 | bye" }));
    }

    [Test]
    [Category("Fleet")]
    [Explicit("Starts servers, and waits for one to be started again")]
    public async Task Two_silos_serve_and_the_one_that_is_killed_is_started_again()
    {
        int port = Ports.Free(), silo = Ports.Free();
        var start = new ProcessStartInfo(MtxProcess.Command[0], [
            .. MtxProcess.Command[1..], "cluster", "--silos", "2", "--port", $"{port}", "--cluster", $"localhost:{silo}", "--", "--model", "demo-codegen",
        ]) { UseShellExecute = false, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        var lines = new ConcurrentQueue<string>();
        process.OutputDataReceived += (_, line) => lines.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        try
        {
            using var client = new HttpClient();
            await UntilAsync(client, $"http://localhost:{port}/readyz", process, lines);
            await UntilAsync(client, $"http://localhost:{port + 1}/readyz", process, lines);
            int[] children = [.. Output("pgrep", "-P", $"{process.Id}").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
            Assert.That(children, Has.Length.EqualTo(2));
            int killed = children.Single(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("silo-1", StringComparison.Ordinal));
            Process.GetProcessById(killed).Kill();
            while (!lines.Any(line => line.StartsWith("silo-1 | ended with exit code 137, and is started again", StringComparison.Ordinal)))
                await Task.Delay(20);
            await UntilAsync(client, $"http://localhost:{port + 1}/readyz", process, lines);
            SystemCalls.Terminate(process);
            await process.WaitForExitAsync();
            Assert.That(process.ExitCode, Is.Zero);
            Assert.That(children.Where(id => Directory.Exists($"/proc/{id}")), Is.Empty);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    private static string Output(string program, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, UseShellExecute = false })!;
        return process.StandardOutput.ReadToEnd();
    }

    private static async Task UntilAsync(HttpClient client, string address, Process process, IEnumerable<string> lines)
    {
        while (true)
        {
            Assert.That(process.HasExited, Is.False, string.Join('\n', lines));
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(address);
                if (answer.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
            }
            await Task.Delay(50);
        }
    }
}
