using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

/// <summary>One command line, run in this process: what it wrote and how it ended.</summary>
internal sealed record MtxRun(int ExitCode, string Out, string Error)
{
    /// <summary>Standard output as the one JSON value that --json promises.</summary>
    public JsonElement Json => JsonDocument.Parse(Out).RootElement;

    /// <summary>Runs mtx without standard input.</summary>
    public static MtxRun Of(params string[] args) => WithInput("", args);

    /// <summary>Runs mtx with a text on standard input.</summary>
    public static MtxRun WithInput(string input, params string[] args) =>
        RunAsync(new StringReader(input), terminal: false, CancellationToken.None, args).GetAwaiter().GetResult();

    /// <summary>Runs mtx as on a terminal: colours, frames, bars.</summary>
    public static MtxRun OnTerminal(params string[] args) => RunAsync(TextReader.Null, terminal: true, CancellationToken.None, args).GetAwaiter().GetResult();

    public static async Task<MtxRun> RunAsync(TextReader input, bool terminal, CancellationToken cancellationToken, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(input, output, error) { OutIsTerminal = terminal, ErrorIsTerminal = terminal };
        int exitCode = await Mtx.RunAsync(args, console, cancellationToken);
        return new MtxRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>The names of a JSON object, in order: the schema of one level.</summary>
    public static string[] Names(JsonElement json) => [.. json.EnumerateObject().Select(property => property.Name)];
}

/// <summary>Folders of the repository, and a folder for each test.</summary>
internal static class Folders
{
    /// <summary>The clone's root.</summary>
    public static string Repository { get; } = ManagedTransformers.Testing.RepositoryRoot.Path;

    /// <summary>tests/data/reference.</summary>
    public static string Reference { get; } = Path.Combine(Repository, "tests", "data", "reference");

    /// <summary>A case of tests/data/reference/models.</summary>
    public static string Case(string name) => Path.Combine(Reference, "models", name);

    /// <summary>A tokenizer of tests/data/tokenizers.</summary>
    public static string Tokenizer(string name) => Path.Combine(Repository, "tests", "data", "tokenizers", name);

    /// <summary>An empty folder of the running test.</summary>
    public static string Scratch()
    {
        string folder = Path.Combine(Path.GetTempPath(), "mtx-tests", $"{Environment.ProcessId}-{TestContext.CurrentContext.Test.ID}");
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        return Directory.CreateDirectory(folder).FullName;
    }

    /// <summary>A copy of a case that a test may damage.</summary>
    public static string CopyOfCase(string name)
    {
        string copy = Path.Combine(Scratch(), name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.EnumerateFiles(Case(name)))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return copy;
    }
}
