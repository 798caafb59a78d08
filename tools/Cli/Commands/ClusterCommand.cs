using System.CommandLine;

namespace ManagedTransformers.Cli;

/// <summary>mtx cluster: several mtx serve on this machine, as one cluster, for development.</summary>
internal sealed class ClusterCommand : MtxCommand
{
    private const int UsualSilos = 3, MostSilos = 16;
    private const string UsualPlace = "localhost:11111";

    // On one machine they can be one silo's alone; the others would begin and fail for ever.
    private static readonly string[] s_ofOne = ["--silo-port", "--dashboard"];

    private readonly Option<int?> _silos = CommonOptions.Bounded("--silos", "N", $"How many silos, each a server of its own. Default: {UsualSilos}.", 1);
    private readonly Option<int?> _port = CommonOptions.Bounded(
        "--port", "N", $"The port of the first server; the others have the next ones. Default: {ServeHost.UsualPort}.", 1);
    private readonly Option<string?> _where = new("--cluster")
    {
        HelpName = "WHERE", Description = $"Where the silos find each other, as in mtx serve. Default: {UsualPlace}, for which the first one has to be there.",
    };
    private readonly Argument<string[]> _serve = new("OPTIONS")
    {
        Arity = ArgumentArity.ZeroOrMore, Description = "After --: options of mtx serve, which every silo gets.",
    };

    public ClusterCommand(CliConsole console)
        : base("cluster", "Serve models with a cluster of several silos on this machine, to develop and to try", console)
    {
        foreach (Option option in Common.All)
            Options.Remove(option);
        Add(_silos);
        Add(_port);
        Add(_where);
        Add(_serve);
        Validators.Add(result =>
        {
            int silos = result.GetValue(_silos) ?? UsualSilos, port = result.GetValue(_port) ?? ServeHost.UsualPort;
            if (silos > MostSilos)
                result.AddError($"--silos is {silos}; at most {MostSilos} are possible.");
            if (port + silos - 1 > ushort.MaxValue)
                result.AddError($"--port is {port}, and {silos} silos need the ports up to {port + silos - 1}; at most {ushort.MaxValue} is possible.");
            string? ofOne = result.GetValue(_serve)?.Select(given => given.Split('=', ':')[0]).FirstOrDefault(s_ofOne.Contains);
            if (ofOne is not null)
                result.AddError($"{ofOne} cannot be given to every silo. Start one more with mtx serve --cluster, and give it there.");
        });
    }

    internal override TimeSpan TimeToEnd => TimeSpan.FromHours(1);

    internal override bool EndsBySignal => true;

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        int silos = context.Get(_silos) ?? UsualSilos, port = context.Get(_port) ?? ServeHost.UsualPort;
        string where = context.Get(_where) ?? UsualPlace;
        ClusterAddress.Parse(where);
        string[] options = context.Get(_serve) ?? [];
        var gate = new Lock();
        void Write(string line)
        {
            lock (gate)
            {
                context.Console.Out.WriteLine(line);
                context.Console.Out.Flush();
            }
        }
        SupervisedProcess[] all = [.. Enumerable.Range(0, silos).Select(i => new SupervisedProcess($"silo-{i}",
            [.. MtxItself, "serve", "--cluster", where, "--silo-name", $"silo-{i}", "--port", $"{port + i}", .. options],
            TimeToEnd, Write))];
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Without Redis the first one has the table of silos, which the others wait for.
        Task<int> first = RunAsync(all[0]);
        await Task.WhenAny(all[0].Spoke, first).ConfigureAwait(false);
        int[] codes = await Task.WhenAll(all.Skip(1).Select(RunAsync).Prepend(first)).ConfigureAwait(false);
        int wrong = Array.IndexOf(codes, ExitCodes.Usage);
        return wrong < 0
            ? ExitCodes.Ok
            : throw new UsageException($"mtx serve cannot run so: {all[wrong].LastError?.Replace("mtx: ", "", StringComparison.Ordinal)}");

        async Task<int> RunAsync(SupervisedProcess silo)
        {
            int code = await silo.RunAsync(end.Token).ConfigureAwait(false);
            await end.CancelAsync().ConfigureAwait(false);                         // a command line that is wrong is wrong for all
            return code;
        }
    }

    // dotnet mtx.dll, or one file.
    private static string[] MtxItself
    {
        get
        {
            string assembly = Path.Combine(AppContext.BaseDirectory, "mtx.dll");
            return File.Exists(assembly) ? ["dotnet", assembly] : [Environment.ProcessPath!];
        }
    }
}
