using System.Text.Json;
using System.Text.RegularExpressions;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Whatever stands on the command line, mtx ends with a documented exit code and a message, and writes where it was told to.</summary>
[TestFixture]
[NonParallelizable]         // the current directory and the hub's variables are set
internal sealed partial class RandomCommandLineTests
{
    // mtx pull asks a hub of this machine; what is not there is told at once.
    private const string Model = "acme/tiny";
    private const int MostProblems = 20;

    private static readonly int[] Documented =
        [ExitCodes.Ok, ExitCodes.Negative, ExitCodes.Usage, ExitCodes.BadInput, ExitCodes.Cancelled];

    private static readonly string[] HelpWords = ["-h", "--help", "-?", "/?", "/h", "--version"];

    [Test]
    public Task Lines_at_random_end_in_a_message() => RunAsync(seed: 1, lines: 200);

    [Test]
    [Explicit("Takes an hour")]
    [Category("RandomLines")]
    public Task A_hundred_thousand_lines_at_random_end_in_a_message() => RunAsync(
        seed: int.Parse(Environment.GetEnvironmentVariable("MTX_LINES_SEED") ?? "2", System.Globalization.CultureInfo.InvariantCulture),
        lines: int.Parse(Environment.GetEnvironmentVariable("MTX_LINES") ?? "100000", System.Globalization.CultureInfo.InvariantCulture));

    private static async Task RunAsync(int seed, int lines)
    {
        string root = Folders.Scratch(), directory = Environment.CurrentDirectory;
        var files = new RandomLineFiles(root);
        var random = new RandomCommandLine(seed, files);
        var unobserved = new List<Exception>();
        void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs e) => unobserved.Add(e.Exception);
        using var hub = new HubServer(Model) { Files = { ["config.json"] = "{}"u8.ToArray(), ["model.safetensors"] = "x"u8.ToArray() } };
        using var environment = new HubVariables(hub.Address, Path.Combine(files.Folder, "hub"));
        TaskScheduler.UnobservedTaskException += OnUnobserved;
        Environment.CurrentDirectory = files.Folder;
        try
        {
            var counts = new int[256];
            var problems = new List<string>();
            for (int i = 0; i < lines && problems.Count < MostProblems; i++)
            {
                string[] args = random.Next();
                string shown = $"line {i}: mtx {string.Join(' ', args.Select(arg => JsonSerializer.Serialize(arg)))}";
                bool terminal = random.Terminal();
                MtxRun run = await RunOneAsync(args, new StringReader(random.Input()), terminal, shown);
                counts[run.ExitCode]++;
                if (ProblemOf(args, run, terminal) is string problem)
                    problems.Add($"{problem}\n{shown}\n{run.ExitCode}\n{run.Out[..Math.Min(run.Out.Length, 500)]}\n{run.Error}");
            }
            TestContext.Out.WriteLine(string.Join(", ", Documented.Select(code => $"exit code {code}: {counts[code]}")));
            Assert.That(problems, Is.Empty);
            Assert.That(counts[ExitCodes.Ok], Is.GreaterThan(lines / 20), "Too few lines went through to try what comes after the parser.");
        }
        finally
        {
            Environment.CurrentDirectory = directory;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            TaskScheduler.UnobservedTaskException -= OnUnobserved;
        }
        Assert.That(unobserved, Is.Empty);
        Assert.That(files.Changes(), Is.Empty);
    }

    private static async Task<MtxRun> RunOneAsync(string[] args, TextReader input, bool terminal, string shown)
    {
        // What waits or computes for long is ended, as Ctrl+C does.
        using var end = new CancellationTokenSource(
            args.Any(arg => arg is "serve" or "cluster" or "playground") ? TimeSpan.FromMilliseconds(500) : TimeSpan.FromSeconds(4));
        Task<MtxRun> running = MtxRun.RunAsync(input, terminal, end.Token, args);
        Assert.That(await Task.WhenAny(running, Task.Delay(TimeSpan.FromMinutes(2))), Is.SameAs(running), $"{shown} does not end.");
        return await running;
    }

    private static string? ProblemOf(string[] args, MtxRun run, bool terminal)
    {
        // A line that shows progress is removed before the message takes its place.
        string error = Own().Replace(run.Error.Replace('\r', '\n'), ""), output = Own().Replace(run.Out, "");
        if (!Documented.Contains(run.ExitCode))
            return "The exit code is not documented.";
        if (Trace().IsMatch(run.Out + run.Error))
            return "A trace was written.";
        bool inResult = args.Contains("verify") && run.Out.Contains("\"error\":{", StringComparison.Ordinal);    // a case that cannot run is a result
        if (run.ExitCode >= ExitCodes.Usage && !inResult && !$"\n{error}".Contains("\nmtx: ", StringComparison.Ordinal))
            return "Nothing says what is wrong.";
        if (Foreign().IsMatch(error) || (terminal && Foreign().IsMatch(output)))
            return "A control character reached the terminal.";
        // What is cancelled may have written half of it.
        return run.ExitCode == ExitCodes.Cancelled ? null : ProblemOfJson(args, run.Out);
    }

    /// <summary>With --json, standard output is one value; or one to a line, where a command answers line by line, the error behind the answers.</summary>
    private static string? ProblemOfJson(string[] args, string output)
    {
        string[] options = [.. args.TakeWhile(arg => arg != "--")];
        int json = Array.IndexOf(options, "--json");
        // Behind an option without its value it is that value.
        if (json < 0 || (json > 0 && options[json - 1].StartsWith('-')) || options.Any(HelpWords.Contains))
            return null;
        bool byLine = options.Contains("sample")
            || options.Any(arg => arg.StartsWith("--jsonl", StringComparison.Ordinal) || arg.StartsWith("--requests", StringComparison.Ordinal));
        try
        {
            foreach (string value in byLine ? output.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [output])
                JsonDocument.Parse(value).Dispose();
            return null;
        }
        catch (JsonException e)
        {
            return $"Standard output is no JSON: {e.Message}";
        }
    }

    [GeneratedRegex(@"^   at \w+\.", RegexOptions.Multiline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Trace();

    // Of what a terminal obeys mtx itself writes to standard error: colours, the cursor of bars, and the removal of a line.
    [GeneratedRegex(@"\e\[(?!2J)[0-9;?]*[A-Za-z]|\r", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Own();

    [GeneratedRegex(@"[\x00-\x08\x0B-\x1F\x7F-\x9F]", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Foreign();

    /// <summary>The environment of mtx pull, put back at the end.</summary>
    private sealed class HubVariables : IDisposable
    {
        private readonly Dictionary<string, string?> _before = [];

        public HubVariables(string endpoint, string cache)
        {
            (string, string?)[] set = [("HF_ENDPOINT", endpoint), ("HF_HUB_CACHE", cache), ("HF_TOKEN", null), ("HF_HUB_OFFLINE", null)];
            foreach ((string name, string? value) in set)
            {
                _before[name] = Environment.GetEnvironmentVariable(name);
                Environment.SetEnvironmentVariable(name, value);
            }
        }

        public void Dispose()
        {
            foreach ((string name, string? value) in _before)
                Environment.SetEnvironmentVariable(name, value);
        }
    }
}
