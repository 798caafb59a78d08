namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx without standard input (<c>&lt;&amp;-</c>): it ends as with an empty one; and without standard output, which is as a full disk.</summary>
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
