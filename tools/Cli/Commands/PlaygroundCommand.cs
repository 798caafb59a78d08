using System.CommandLine;

namespace ManagedTransformers.Cli;

/// <summary>mtx playground: serves the page of tools/Playground, in which the demo models run, to this computer's browsers.</summary>
internal sealed class PlaygroundCommand : MtxCommand
{
    private const int UsualPort = 8080;
    private readonly Option<int?> _port = CommonOptions.Bounded("--port", "N", $"The port to listen at. Default: {UsualPort}.", 1);
    private readonly Option<string?> _folder = new("--folder")
    {
        HelpName = "DIR", Description = "The published page. Default: playground next to mtx, or what dotnet publish tools/Playground made in the clone.",
    };

    public PlaygroundCommand(CliConsole console)
        : base("playground", "Serve the page on which a transformer runs in the browser and can be changed while it runs", console)
    {
        foreach (Option option in (Option[])[Common.Model, Common.Revision, Common.Threads, Common.Kernels, .. Common.OfLoading])
            Options.Remove(option);
        Add(_port);
        Add(_folder);
        Validators.Add(result =>
        {
            if (result.GetValue(_port) is > ushort.MaxValue and int port)
                result.AddError($"--port is {port}; at most {ushort.MaxValue} is possible.");
        });
    }

    internal override bool EndsBySignal => true;

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        string folder = PublishedPlayground.Find(context.Get(_folder));
        using var server = new StaticFileServer(folder, context.Get(_port) ?? UsualPort);
        if (!context.WriteJson(new PlaygroundResult(server.Address, folder), CliJsonContext.Relaxed.PlaygroundResult))
            context.Console.Out.WriteLine($"The playground is at {server.Address} (from {Show.Visible(folder)}); Ctrl+C ends it.");
        context.Console.Out.Flush();
        // Ctrl+C is how it ends, not an error.
        await server.RunAsync(cancellationToken).ConfigureAwait(false);
        return ExitCodes.Ok;
    }
}

/// <summary>Where the page is served, and from which folder.</summary>
internal sealed record PlaygroundResult(string Address, string Folder);
