using ManagedTransformers.Kernels;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class CommandLineTests
{
    [Test]
    public void A_misspelt_option_is_no_text()
    {
        MtxRun run = MtxRun.Of("tokenize", "--josn");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith("mtx: There is no option --josn."));
    }

    [TestCase("bogus")]
    [TestCase("tokenize", "a", "b")]
    [TestCase("tokenize")]
    [TestCase("tokenize", "x", "--stride", "2")]
    [TestCase("inspect")]
    [TestCase("verify")]
    [TestCase("verify", "x", "--threads", "0")]
    [TestCase("verify", "x", "--threads", "many")]
    [TestCase("verify", "x", "--kernels", "sse")]
    [TestCase("verify", "x", "--tolerance", "-1")]
    [TestCase("verify", "x", "--tolerance", "NaN")]
    [TestCase("diff", "a", "b", "--tolerance", "-1")]
    [TestCase("diff", "a", "b", "--tolerance", "Infinity")]
    [TestCase("diff", "a", "b", "--tolerance", "close")]
    [TestCase("diff", "a")]
    [TestCase("trace", "x")]
    [TestCase("trace", "--out", "o")]
    [TestCase("trace", "x", "--ids", "1", "--out", "o")]
    [TestCase]
    public void A_wrong_command_line_gives_exit_code_2_and_one_message(params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain("--help"));
    }

    [Test]
    public void A_wrong_command_line_with_json_gives_a_json_error_too()
    {
        MtxRun run = MtxRun.Of("verify", "--json");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Json.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("UsageException"));
    }

    [Test]
    public void A_missing_model_directory_gives_exit_code_3([Values("fill-mask", "classify", "tag", "embed", "generate", "tokenize")] string command)
    {
        MtxRun run = MtxRun.Of(command, "x <mask>", "--model", "/no/such/folder");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("/no/such/folder"));
    }

    [Test]
    public void A_level_that_this_processor_lacks_gives_exit_code_2()
    {
        KernelLevel[] missing = [.. Enum.GetValues<KernelLevel>().Where(level => !KernelDispatch.IsSupported(level))];
        if (missing.Length == 0)
            Assert.Ignore("This processor has every kernel level.");
        Assert.That(MtxRun.Of("verify", Folders.Case("bert-embed"), "--kernels", $"{missing[0]}").ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void Help_lists_the_commands_and_goes_to_standard_output()
    {
        MtxRun run = MtxRun.Of("--help");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string[] commands =
        [
            "fill-mask", "classify", "tag", "embed", "generate", "infill", "next-sentence", "rerank", "tokenize", "inspect", "forward", "verify", "trace",
            "diff",
        ];
        foreach (string command in commands)
            Assert.That(run.Out, Does.Contain($"  {command} "));
    }

    [Test]
    public void Redirected_output_has_no_escape_codes_and_a_terminal_gets_colours_and_frames()
    {
        MtxRun plain = MtxRun.Of("verify", Folders.Case("bert-embed"));
        MtxRun terminal = MtxRun.OnTerminal("verify", Folders.Case("bert-embed"));
        Assert.That(plain.Error, Is.Empty);
        Assert.That(terminal.Error, Does.Contain("case 1 of 1"));
        Assert.That(plain.Out, Does.Not.Contain("\e").And.Not.Contain("│"));
        Assert.That(terminal.Out, Does.Contain("\e[").And.Contain("╭"));
    }

    [Test]
    public async Task Cancelled_work_gives_exit_code_130()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        MtxRun run = await MtxRun.RunAsync(TextReader.Null, terminal: false, cancelled.Token, "verify", Folders.Case("bert-embed"));
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((130, "mtx: Cancelled.\n")));
    }
}
