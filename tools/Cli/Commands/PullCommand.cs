using System.CommandLine;
using ManagedTransformers.Hub;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx pull: downloads a model from the hub into its cache. The only command that uses the network.</summary>
internal sealed class PullCommand : MtxCommand
{
    private readonly Argument<string> _name = new("NAME") { Description = "The model: org/name or org/name@revision." };
    private readonly Option<bool> _all = CommonOptions.Flag("--all", "Download every file of the repository, not only those that mtx reads.");

    public PullCommand(CliConsole console)
        : base("pull", "Download a model from the Hugging Face hub into its cache", console)
    {
        foreach (Option option in (Option[])[Common.Model, Common.Threads, Common.Kernels, .. Common.OfLoading])
            Options.Remove(option);
        Add(_name);
        Add(_all);
    }

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using var client = new HubClient();
        HubDownload download = await PullProgress.RunAsync(context.Console, progress =>
            client.DownloadAsync(context.Get(_name)!, context.RevisionOption, context.Get(_all), progress, cancellationToken)).ConfigureAwait(false);
        var result = new PullResult(download.Model.Name, download.Model.Revision, download.Commit, download.Directory,
            [.. download.Files.Select(file => new PullFile(file.Name, file.Bytes, file.Downloaded))]);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.PullResult))
            ShowFiles(context.Console, result);
        return ExitCodes.Ok;
    }

    private static void ShowFiles(CliConsole console, PullResult result)
    {
        Table table = Show.Table(console, "file", ">size", "");
        foreach (PullFile file in result.Files)
            table.AddRow(Show.Cell(file.Name), Show.Cell(Show.Bytes(file.Bytes)), Show.Cell(file.Downloaded ? "downloaded" : "was there"));
        Show.Write(console, table);
        console.Out.WriteLine($"{result.Model} ({result.Revision}, commit {result.Commit}) is in {Show.Visible(result.Directory)}");
    }
}

/// <summary>A model that is in the cache.</summary>
internal sealed record PullResult(string Model, string Revision, string Commit, string Directory, PullFile[] Files);

/// <summary>One of its files, and whether it came now.</summary>
internal sealed record PullFile(string Name, long Bytes, bool Downloaded);
