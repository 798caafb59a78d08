using System.Diagnostics;
using System.Text;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Commands that are cancelled while they write: one thread writes at a time, nothing comes behind the last word, and nobody who does not read can
/// keep the process.</summary>
[TestFixture]
internal sealed class CancelledOutputTests
{
    [TestCase(true)]
    [TestCase(false)]
    public async Task Nothing_is_written_behind_the_last_word(bool obeys)
    {
        for (int round = 0; round < (obeys ? 30 : 2); round++)
        {
            var output = new WatchedWriter();
            using var error = new StringWriter();
            using var end = new CancellationTokenSource(TimeSpan.FromMilliseconds(round * 2));
            using var lines = new EndlessLines(obeys);
            var console = new CliConsole(lines, output, error);
            int exitCode = await Mtx.RunAsync(["tokenize", "--jsonl", "-", "--model", Folders.Tokenizer("roberta-code-8k")], console, end.Token);
            Assert.That((console.Close(exitCode), error.ToString()), Is.EqualTo((ExitCodes.Cancelled, $"mtx: Cancelled.{Environment.NewLine}")));
            string written = output.ToString();
            await Task.Delay(20);
            Assert.That((output.Overlaps, output.ToString()), Is.EqualTo((0, written)));
            lines.Stop();
        }
    }

    [Test]
    public async Task A_reader_who_does_not_read_cannot_keep_a_cancelled_command()
    {
        using var full = new ManualResetEventSlim();
        using var error = new StringWriter();
        using var end = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        using var lines = new EndlessLines(obeys: true);
        var console = new CliConsole(lines, new WatchedWriter { Full = full }, error);
        int exitCode = await Mtx.RunAsync(["tokenize", "--jsonl", "-", "--model", Folders.Tokenizer("roberta-code-8k")], console, end.Token);
        Assert.That((console.Close(exitCode), error.ToString()), Is.EqualTo((ExitCodes.Cancelled, $"mtx: Cancelled.{Environment.NewLine}")));
        full.Set();
        lines.Stop();
    }

    [TestCase("INT")]
    [TestCase("TERM")]
    public void A_process_whose_output_nobody_reads_ends_by_a_signal(string signal)
    {
        // Long lines soon fill the pipe, of which a hundred bytes are read. What a shell starts in the background would not be told of SIGINT.
        const string Script =
            "yes \"\\\"$1\\\"\" | { env --default-signal=INT \"${@:3}\" & echo $! > \"$2\"; wait $!; echo $? > \"$2.code\"; } | "
            + "{ head -c 100 > /dev/null; sleep 60; }";
        string folder = Folders.Scratch(), pid = Path.Combine(folder, "pid");
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("This test sends a signal.");
        string text = new('x', 4000);
        var start = new ProcessStartInfo("bash", ["-c", Script, "bash", text, pid, .. MtxProcess.Command, "tokenize", "--jsonl", "-"])
        {
            UseShellExecute = false, RedirectStandardError = true,
        };
        using Process shell = Process.Start(start)!;
        try
        {
            Assert.That(() => File.Exists(pid) && new FileInfo(pid).Length > 0, Is.True.After(20_000, 20));
            Thread.Sleep(1500);                                   // it writes, and waits for its reader
            using (Process kill = Process.Start("bash", ["-c", $"kill -{signal} $(cat {pid})"]))
                kill.WaitForExit();
            Assert.That(() => File.Exists(pid + ".code") && new FileInfo(pid + ".code").Length > 0, Is.True.After(30_000, 50));
            Assert.That(File.ReadAllText(pid + ".code").Trim(), Is.EqualTo("130").Or.EqualTo("143"));
        }
        finally
        {
            shell.Kill(entireProcessTree: true);
        }
        Assert.That(shell.StandardError.ReadToEnd(), Does.Not.Contain("   at ").And.Not.Contains("Unhandled"));
    }

    /// <summary>Lines without end; of two kinds of readers, one stops where it is told to.</summary>
    private sealed class EndlessLines(bool obeys) : TextReader
    {
        private volatile bool _stopped;

        public void Stop() => _stopped = true;

        public override ValueTask<string?> ReadLineAsync(CancellationToken cancellationToken)
        {
            if (obeys)
                cancellationToken.ThrowIfCancellationRequested();
            return ValueTask.FromResult<string?>(_stopped ? null : "\"def f(x): return x\"");
        }
    }

    /// <summary>Counts threads that write while another one does, and lets them wait where it is full.</summary>
    private sealed class WatchedWriter : TextWriter
    {
        private readonly StringBuilder _text = new();
        private int _inside;

        public ManualResetEventSlim? Full { get; init; }

        public int Overlaps { get; private set; }

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write([value]);

        public override void Write(string? value) => Write(value.AsSpan());

        public override void WriteLine(string? value) => Write($"{value}\n");

        public override void Write(ReadOnlySpan<char> buffer) => Enter(buffer.ToString());

        public override void Flush() => Enter("");

        public override string ToString()
        {
            lock (_text)
                return _text.ToString();
        }

        private void Enter(string text)
        {
            if (Interlocked.Increment(ref _inside) > 1)
                Overlaps++;
            lock (_text)
                _text.Append(text);
            Full?.Wait();
            Interlocked.Decrement(ref _inside);
        }
    }
}
