using System.Collections;
using System.Diagnostics;
using System.Text.RegularExpressions;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Runs the programs of samples/ as their README says, one after the other, from another directory than theirs.</summary>
[TestFixture]
[NonParallelizable]
internal sealed partial class SampleProgramTests
{
    private static readonly string Samples = Path.Combine(Folders.Repository, "samples");

    [Test]
    public void A_head_that_finds_the_name_looks_at_it()
    {
        string[] lines = Run("attention-head.cs");
        Assert.That(lines[0], Does.StartWith("layer 3, head 0 of 4:"));
        Assert.That(lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Is.EqualTo(new[] { "def", "f", "(", "left", ",", "right", "):", "\\n", "return", "left", "+" }));
        int[] last = [.. Numbers().Matches(lines[^1]).Select(number => int.Parse(number.Value))];
        Assert.That(last, Has.Length.EqualTo(12).And.Some.GreaterThan(40));          // 12 tokens: one of them is blanks
        Assert.That(Array.IndexOf(last, last.Max()), Is.EqualTo(5), "right");
    }

    [Test]
    public void The_lens_shows_how_the_answer_comes_about()
    {
        string[] lines = Run("logit-lens.cs");
        Assert.That(lines, Has.Length.EqualTo(6));
        Assert.That(lines[0], Is.EqualTo("after \"if __name__ ==\" comes:"));
        Assert.That(lines[1], Does.StartWith("embeddings").And.Not.Contain("\" \"__\""));
        Assert.That(lines[5], Does.Match("^layer 3 +[0-9]+ % \" \"__\" "));
    }

    [Test]
    public void One_head_of_the_last_layer_carries_the_name()
    {
        string[] lines = Run("patch-head.cs");
        Assert.That(lines[0], Does.StartWith("score of \" right\" minus score of \" other\": 4.").And.Contain(", -3."));
        double[][] heads = [.. lines[2..].Select(line => Numbers().Matches(line).Select(number => double.Parse(number.Value)).ToArray())];
        Assert.That(heads, Has.Length.EqualTo(16));
        Assert.That(heads.Where(head => head[3] > 0).Select(head => (head[0], head[1])), Is.EqualTo(new[] { (3.0, 0.0) }));
    }

    [Test]
    public void Processors_of_the_samples_own_change_the_text()
    {
        string[] texts = string.Join('\n', Run("own-sampler.cs")).Split("--- ", StringSplitOptions.RemoveEmptyEntries);
        Assert.That(texts, Has.Length.EqualTo(3));
        Assert.That(texts[0], Does.StartWith("greedy\ndef hello_world():\n    \"\"\"Print"));
        Assert.That(texts[1], Does.StartWith("greedy, no quotes\ndef hello_world():").And.Not.Contain("\""));
    }

    [Test]
    public void Every_level_of_this_processor_is_timed_and_agrees_with_the_plain_loops()
    {
        string[] lines = Run("time-levels.cs");
        Assert.That(lines[2..].Select(line => line.Split(' ')[0]), Is.EqualTo(KernelDispatch.Supported.Order().Select(level => $"{level}")));
        Assert.That(lines[2..].Select(line => double.Parse(line.Split(' ')[^1])), Has.All.LessThanOrEqualTo(1e-4));
    }

    /// <summary>The lines that a sample prints; the first one stands in the README.</summary>
    private static string[] Run(string file)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(dotnet, ["run", "-c", "Release", Path.Combine(Samples, file)])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folders.Scratch(),
        };
        // dotnet test tells its processes where its own MSBuild is; another one is needed here.
        foreach (string name in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(variable => (string)variable.Key))
        {
            if (name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase))
                start.Environment.Remove(name);
        }
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((0, "")), output);
        string[] lines = [.. output.TrimEnd().Split('\n').Select(line => line.TrimEnd())];
        Assert.That(File.ReadAllText(Path.Combine(Samples, "README.md")), Does.Contain($"## [{file}]({file})\n").And.Contain($"```\n{lines[0]}\n"));
        return lines;
    }

    [GeneratedRegex(@"(?<=\s|^)-?\d+(\.\d+)?(?=\s|$)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Numbers();
}
