using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

/// <summary>tools/reference/evaluate.py, where there is a python3.</summary>
[TestFixture]
internal sealed class EvaluationTests
{
    private const string Problem =
        """{"task_id": "one", "prompt": "def one():\n", "test": "def check(candidate):\n    assert candidate() == 1\n", "entry_point": "one"}""";

    private static readonly string Demo = Path.Combine(Folders.Reference, "demo");

    [Test]
    public void The_demo_models_greedy_samples_pass_as_the_reference_and_the_README_say()
    {
        string results = Path.Combine(Folders.Scratch(), "results.jsonl"), greedy = Path.Combine(Demo, "problems.greedy.jsonl");
        // On a busy machine a process may need seconds to start.
        (int exitCode, string output, string error) = Evaluate(greedy, Path.Combine(Demo, "problems.jsonl"), "--timeout", "60", "--results", results);
        Assert.That((exitCode, error), Is.EqualTo((0, "")));
        bool[] expected = Passed(greedy);
        Assert.That(Passed(results), Is.EqualTo(expected));
        Assert.That(output, Does.Contain($"pass@1 {expected.Count(passed => passed) / 200.0:0.0000}"));
        Assert.That(File.ReadAllText(Path.Combine(Folders.Repository, "README.md")), Does.Contain(output));
    }

    [TestCase("    return 1", "passed")]
    [TestCase("    return 2", "AssertionError")]
    [TestCase("    return", "AssertionError")]
    [TestCase(" return 1\n  x", "IndentationError")]
    [TestCase("    import sys; sys.exit(0)", "SystemExit: 0")]
    [TestCase("    import os; os._exit(0)", "ended with exit code 0")]
    [TestCase("    print('a'); return 1", "passed")]
    [TestCase("    return len(bytearray(3 * 10**9)) and 1", "MemoryError")]
    public void A_sample_passes_only_if_its_tests_do(string completion, string result)
    {
        if (result == "MemoryError" && !OperatingSystem.IsLinux())
            Assert.Ignore("Memory is limited on Linux only.");
        (string line, string output) = EvaluateOne([completion], "--timeout", "60");
        Assert.That(JsonDocument.Parse(line).RootElement.GetProperty("result").GetString(), Does.StartWith(result));
        Assert.That(output, Does.Contain(result == "passed" ? "pass@1 1.0000" : "pass@1 0.0000"));
    }

    [Test]
    public void A_sample_that_runs_on_is_ended()
    {
        (string line, string output) = EvaluateOne(["    while True: pass"], "--timeout", "0.5");
        Assert.That(JsonDocument.Parse(line).RootElement.GetProperty("result").GetString(), Is.EqualTo("timed out"));
        Assert.That(output, Does.Contain("passed 0, failed 0, timed out 1"));
    }

    [Test]
    public void Pass_at_10_is_the_unbiased_estimate()
    {
        // 1 of 12 passes: 1 − C(11, 1) / C(12, 1) = 1 − 11/12, and 1 − C(11, 10) / C(12, 10) = 1 − 11/66.
        string[] completions = [.. Enumerable.Range(0, 12).Select(i => $"    return {(i == 5 ? 1 : 2)}")];
        (_, string output) = EvaluateOne(completions, "--timeout", "60");
        Assert.That(output, Is.EqualTo("problems 1, samples 12: passed 1, failed 11, timed out 0\npass@1 0.0833\npass@10 0.8333\n"));
    }

    [TestCase("{", "samples.jsonl, line 1 is no JSON")]
    [TestCase("{\"task_id\": \"one\"}", "samples.jsonl, line 1 has no text completion")]
    [TestCase("{\"task_id\": \"two\", \"completion\": \"\"}", "samples.jsonl, line 1 is a sample of two, which is not among the problems")]
    [TestCase("", "has no sample of one")]
    public void Wrong_samples_are_refused_with_file_and_line(string sample, string says)
    {
        string folder = Folders.Scratch(), problems = Path.Combine(folder, "problems.jsonl"), samples = Path.Combine(folder, "samples.jsonl");
        File.WriteAllText(problems, Problem);
        File.WriteAllText(samples, sample);
        (int exitCode, string output, string error) = Evaluate(samples, problems);
        Assert.That((exitCode, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.Contain(says));
    }

    /// <summary>Evaluates samples of one problem: the first result line, and what is printed.</summary>
    private static (string Line, string Output) EvaluateOne(string[] completions, params string[] options)
    {
        string folder = Folders.Scratch(), problems = Path.Combine(folder, "problems.jsonl"), samples = Path.Combine(folder, "samples.jsonl"),
            results = Path.Combine(folder, "results.jsonl");
        File.WriteAllText(problems, Problem);
        File.WriteAllLines(samples, completions.Select(completion => $$"""{"task_id": "one", "completion": {{JsonSerializer.Serialize(completion)}}}"""));
        (int exitCode, string output, string error) = Evaluate([samples, problems, "--results", results, .. options]);
        Assert.That((exitCode, error), Is.EqualTo((0, "")));
        return (File.ReadLines(results).First(), output);
    }

    private static (int ExitCode, string Output, string Error) Evaluate(params string[] args) => PythonScript.Run("evaluate.py", args);

    private static bool[] Passed(string file) =>
        [.. File.ReadLines(file).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("passed").GetBoolean())];
}
