using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli.Tests;

/// <summary>
/// Runs the console blocks of the README and of docs/cli.md, explain.md and corpora.md, and compares what they print. Numbers with decimals may differ in the
/// last places, and '…' stands for anything.
/// </summary>
[TestFixture]
[NonParallelizable]         // the examples name files of the clone, so the current directory is set
internal sealed partial class DocumentationTests
{
    public sealed record Example(string Command, string Output)
    {
        public override string ToString() => Command;
    }

    public static IEnumerable<Example> Examples()
    {
        string documents = File.ReadAllText(Path.Combine(Folders.Repository, "README.md"))
            + string.Concat(new[] { "cli.md", "explain.md", "corpora.md" }.Select(name => File.ReadAllText(Path.Combine(Folders.Repository, "docs", name))));
        foreach (Match block in ConsoleBlock().Matches(documents))
        {
            string before = "";
            foreach (string part in $"\n{block.Groups["body"].Value}".Split("\n$ ", StringSplitOptions.RemoveEmptyEntries))
            {
                string[] lines = part.Split('\n', 2);
                before = lines[0] == "echo $?" ? $"{before} ; echo $?" : lines[0];
                yield return new Example(before, lines.ElementAtOrDefault(1)?.TrimEnd('\n') ?? "");
            }
        }
    }

    [TestCaseSource(nameof(Examples))]
    public void The_example_prints_what_the_document_says(Example example)
    {
        bool wantsExitCode = example.Command.EndsWith(" ; echo $?", StringComparison.Ordinal);
        string command = wantsExitCode ? example.Command[..^" ; echo $?".Length] : example.Command;
        MtxRun run = Run(command);
        string printed = wantsExitCode ? $"{run.ExitCode}" : (run.Out + run.Error).TrimEnd('\n');
        bool saysExitCode = Examples().Any(other => other.Command == $"{command} ; echo $?");
        if (!saysExitCode && run.Error.Length == 0)
            Assert.That(run.ExitCode, Is.Zero);
        AssertSame(printed, example.Output);
    }

    [Test]
    public void Every_command_has_a_section()
    {
        string document = File.ReadAllText(Path.Combine(Folders.Repository, "docs", "cli.md"));
        foreach (System.CommandLine.Command command in Mtx.Create(new CliConsole(TextReader.Null, TextWriter.Null, TextWriter.Null)).Subcommands)
        {
            Assert.That(document, Does.Contain($"\n## {command.Name}\n"));
            foreach (System.CommandLine.Option option in command.Options)
                Assert.That(document, Does.Contain(option.Name), $"{command.Name} {option.Name}");
        }
    }

    [Test]
    public void The_tables_of_generate_say_what_its_help_says()
    {
        var console = new CliConsole(TextReader.Null, TextWriter.Null, TextWriter.Null);
        System.CommandLine.Command generate = Mtx.Create(console).Subcommands.Single(command => command.Name == "generate");
        string expected = string.Join("\n\n", ((MtxCommand)generate).OptionGroups.Select(group =>
            $"| {group.Title} | |\n|---|---|\n" + string.Join('\n', group.Options.Select(option => $"| {NameOf(option)} | {option.Description} |"))));
        Assert.That(File.ReadAllText(Path.Combine(Folders.Repository, "docs", "cli.md")), Does.Contain(expected), expected);

        static string NameOf(System.CommandLine.Option option)
        {
            string value = option.Arity.MaximumNumberOfValues > 0 ? $" {option.HelpName!.Replace("|", "\\|", StringComparison.Ordinal)}" : "";
            return $"`{option.Name}{value}`" + string.Concat(option.Aliases.Order(StringComparer.Ordinal).Select(alias => $" (`{alias}`)"));
        }
    }

    private static MtxRun Run(string command)
    {
        string[] pipe = command.Split(" | ", 2);
        string input = pipe.Length == 2 ? Words(pipe[0])[1].Replace("\\n", "\n", StringComparison.Ordinal) : "";
        string[] args = [.. Words(pipe[^1]).Skip(1)];
        string scratch = Folders.Scratch();
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = Folders.Repository;
        try
        {
            MtxRun run = MtxRun.WithInput(input,
                [.. args.Select(arg => arg is "out.safetensors" or "converted" or "page.html" or "results" ? Path.Combine(scratch, arg) : arg)]);
            string inScratch = scratch + Path.DirectorySeparatorChar;
            return run with
            {
                Out = run.Out.Replace(inScratch, "", StringComparison.Ordinal), Error = run.Error.Replace(inScratch, "", StringComparison.Ordinal),
            };
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }

    /// <summary>Words as a shell reads them; $'…' knows \n, \t, \' and \\, '…' knows nothing.</summary>
    private static string[] Words(string command) =>
        [.. Word().Matches(command).Select(word => word.Groups["ansi"] is { Success: true } ansi
            ? Escape().Replace(ansi.Value, escape => escape.Value[1] switch { 'n' => "\n", 't' => "\t", char other => $"{other}" })
            : word.Groups["quoted"] is { Success: true } quoted ? quoted.Value : word.Value)];

    private static void AssertSame(string printed, string documented)
    {
        var pattern = new StringBuilder(@"\A");
        var numbers = new List<double>();
        int position = 0;
        foreach (Match part in Loose().Matches(documented))
        {
            pattern.Append(Regex.Escape(documented[position..part.Index]));
            pattern.Append(part.Value == "…" ? @"[\s\S]*" : @"(-?\d+\.\d+(?:E[-+]\d+)?)");
            if (part.Value != "…")
                numbers.Add(double.Parse(part.Value, CultureInfo.InvariantCulture));
            position = part.Index + part.Length;
        }
        pattern.Append(Regex.Escape(documented[position..])).Append(@"\z");
        Match match = Regex.Match(printed, pattern.ToString(), RegexOptions.None, TimeSpan.FromSeconds(10));
        Assert.That(match.Success, $"printed:\n{printed}\ndocumented:\n{documented}");
        for (int i = 0; i < numbers.Count; i++)
            Assert.That(double.Parse(match.Groups[i + 1].Value, CultureInfo.InvariantCulture), Is.EqualTo(numbers[i]).Within(0.0051));
    }

    [GeneratedRegex(@"^```console\n(?<body>\$ [\s\S]*?)^```", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ConsoleBlock();

    [GeneratedRegex(@"\$'(?<ansi>(\\.|[^'\\])*)'|'(?<quoted>[^']*)'|[^\s']+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Word();

    [GeneratedRegex(@"\\.", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Escape();

    [GeneratedRegex(@"…|-?\d+\.\d+", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Loose();
}
