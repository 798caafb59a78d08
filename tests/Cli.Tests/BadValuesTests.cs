using System.CommandLine;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Every option of every command with values that it cannot mean: a message and exit code 2 or 3, never a trace.</summary>
[TestFixture]
internal sealed class BadValuesTests
{
    private static readonly string[] Values =
        ["abc", "", " ", "NaN", "-1", "1.5x", "99999999999999999999", "0x10", "1,5", "1e999", "Infinity", "\u0663"];

    private static IEnumerable<TestCaseData> Options() =>
        from command in Mtx.Create(new CliConsole(TextReader.Null, TextWriter.Null, TextWriter.Null)).Subcommands
        from option in command.Options
        where option.Arity.MaximumNumberOfValues > 0 && option.Name is not "--model"
        select new TestCaseData(command.Name, option.Name, command.Options.Any(one => one.Name == "--model"));

    [TestCaseSource(nameof(Options))]
    public async Task A_value_that_an_option_cannot_mean_ends_in_a_message(string command, string option, bool hasModel)
    {
        // What a value does mean goes on to a model that is not there.
        string[] model = hasModel ? ["--model", Path.Combine(Path.GetTempPath(), "no-such-model")] : [];
        foreach (string value in Values)
        {
            using var end = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            MtxRun run = await MtxRun.RunAsync(TextReader.Null, terminal: false, end.Token, [command, .. model, $"{option}={value}"]);
            Assert.That(run.ExitCode, Is.EqualTo(2).Or.EqualTo(3), $"{option}={value}: {run.Error}");
            Assert.That(run.Error, Does.StartWith("mtx: ").And.Not.Contains("   at "), $"{option}={value}");
        }
    }

    [Test]
    public void An_option_is_no_value_of_the_option_before_it()
    {
        // The port of --dashboard may be left out, and mtx cluster has no --json.
        foreach (object?[] args in Options().Select(option => option.Arguments).Where(args => args[1] is not "--dashboard" && args[0] is not "cluster"))
        {
            (string command, string option) = ((string)args[0]!, (string)args[1]!);
            MtxRun run = MtxRun.Of(command, option, "--json");
            Assert.That((run.ExitCode, run.Error), Is.EqualTo((2, $"mtx: {option} needs a value, and --json after it is an option. "
                + $"(If it is meant as the value, write {option}=--json.) See mtx {command} --help.\n")));
        }
        Assert.That(MtxRun.Of("tokenize", "x", "--revision=--json").Error, Is.EqualTo("mtx: --revision --json needs --model org/name.\n"));
    }

    [TestCase("playground", "--port")]
    [TestCase("score", "--window")]
    [TestCase("score", "--stride")]
    [TestCase("explain", "--mask")]
    public void What_is_no_number_is_shown_with_its_option(string command, string option)
    {
        MtxRun run = MtxRun.Of(command, option, "abc");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("abc").And.Contains(option).And.Contains($"See mtx {command} --help."));
    }

    [Test]
    public void Help_that_a_full_disk_does_not_take_is_an_error_with_a_message()
    {
        MtxRun run = MtxProcess.Run("/bin/sh", ["-c", "\"$@\" --help > /dev/full", "sh", .. MtxProcess.Command]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((3, run.Error)));
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Not.Contains("   at "));
    }
}
