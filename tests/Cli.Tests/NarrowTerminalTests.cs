namespace ManagedTransformers.Cli.Tests;

/// <summary>Terminals of a few columns, which <c>script</c> of util-linux makes: bars and tables end there as well.</summary>
[TestFixture]
internal sealed class NarrowTerminalTests
{
    [TestCase(1)]
    [TestCase(7)]
    public void A_bar_of_progress_ends_in_a_terminal_of_a_few_columns(int columns)
    {
        string directory = Path.Combine(Folders.Scratch(), "out");
        string convert = string.Join(' ', [.. MtxProcess.Command, "convert", Folders.Case("llama-bf16-sharded"), directory]);
        // What would go on for ever is ended, and fails by its exit code.
        MtxRun run = MtxProcess.Run("timeout", ["120", "script", "-qec", $"stty rows 1 cols {columns}; {convert}", "/dev/null"]);
        Assert.That(run.ExitCode, Is.Zero, run.Out);
        Assert.That(File.Exists(Path.Combine(directory, "model.safetensors")), Is.True);
    }
}
