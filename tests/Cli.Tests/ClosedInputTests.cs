namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx without standard input (<c>&lt;&amp;-</c>): it ends as with an empty one; without standard output,
/// which is as a full disk; without a current directory; and with more input than memory.</summary>
[TestFixture]
internal sealed class ClosedInputTests
{
    // What would wait for input forever is ended, and fails by its exit code.
    private const string Closed = "exec timeout 120 \"$@\" <&-";

    [TestCase("")]
    [TestCase("<&-")]
    public void A_closed_output_takes_no_result(string input)
    {
        MtxRun run = MtxProcess.Run("bash", ["-c", $"\"$@\" {input} >&-", "bash", .. MtxProcess.Command, "tokenize", "x"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((3, "mtx: Standard output cannot be written: The output is closed.\n")));
    }

    [Test]
    public void An_input_that_never_ends_takes_the_memory_and_is_no_defect()
    {
        // 128 MiB, so that it is soon.
        MtxRun run = MtxProcess.Run("env", ["DOTNET_GCHeapHardLimit=0x8000000", .. MtxProcess.Command, "generate", "--prompt-file", "/dev/zero"]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.StartWith("mtx: The memory does not suffice.").And.Not.Contain("defect"));
    }

    [Test]
    public void A_current_directory_that_is_gone_is_said()
    {
        MtxRun run = MtxProcess.Run(
            "bash", ["-c", "cd \"$0\" && rmdir \"$0\" && \"$@\"", Folders.Scratch(), .. MtxProcess.Command, "trace", "x", "--out", "o"]);
        Assert.That((run.ExitCode, run.Out, run.Error),
            Is.EqualTo((3, "", "mtx: The current directory is gone. Go to one that exists (cd), and start again.\n")));
    }

    [TestCase("classify", "-")]
    [TestCase("generate", "-", "--max-new-tokens", "2")]
    [TestCase("generate", "--requests", "-")]
    [TestCase("infill", "-")]
    [TestCase("infill", "--prefix", "-", "--suffix", "x")]
    [TestCase("synthesize")]
    [TestCase("sample", "--problems", "-")]
    [TestCase("tokenize", "--jsonl", "-")]
    public void A_closed_input_is_an_empty_one(params string[] args)
    {
        MtxRun closed = MtxProcess.Run("bash", ["-c", Closed, "bash", .. MtxProcess.Command, .. args]), empty = MtxRun.Of(args);
        Assert.That((closed.ExitCode, closed.Out, closed.Error), Is.EqualTo((empty.ExitCode, empty.Out, empty.Error)));
    }
}
