using System.CommandLine;
using System.Globalization;
using System.Net;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;

namespace ManagedTransformers.Cli;

/// <summary>mtx serve: models over HTTP, in the protocols that editors and OpenAI's clients speak.</summary>
internal sealed class ServeCommand : MtxCommand
{
    // How long a gateway waits until it knows the fleet, before it says where it serves.
    private static readonly TimeSpan s_fleet = TimeSpan.FromSeconds(10);

    private readonly Option<string[]> _models = new("--model", "-m")
    {
        HelpName = "DIR", AllowMultipleArgumentsPerToken = true,
        Description = "Checkpoint directories, org/name of models in the hub's cache, or names of demo models. Default: all demo models.",
    };
    private readonly Option<string?> _host = new("--host") { HelpName = "HOST", Description = "The address to listen at, or PATH.sock. Default: localhost." };
    private readonly Option<int?> _port = CommonOptions.Bounded("--port", "N", $"The port to listen at; 0: a free one. Default: {ServeHost.UsualPort}.", 0);
    private readonly Option<bool> _preload = CommonOptions.Flag("--preload", "Load all models at the start, instead of each by its first request.");
    private readonly Option<string?> _memory = Size("--memory", "Most bytes of weights and caches of all loaded models: 8GB, 500MiB, … Default: no limit.");
    private readonly Option<string[]> _keys = new("--api-key") { HelpName = "KEY", Description = "A key that requests must have; may be given several times." };
    private readonly Option<string?> _keyFile = new("--api-key-file")
    {
        HelpName = "FILE", Description = "Keys, one per line, which no list of processes shows.",
    };
    private readonly Option<string[]> _origins = new("--cors-origin")
    {
        HelpName = "ORIGIN", Description = "A page's origin, such as http://localhost:3000, that may ask from a browser; *: any. May be given several times.",
    };
    private readonly Option<string?> _body = Size("--max-body", "Most bytes of a request's body. Default: 8MiB.");
    private readonly Option<int?> _inputs = CommonOptions.Bounded("--max-inputs", "N", "Most prompts or texts of a request. Default: 2048.", 1);
    private readonly Option<int?> _timeout = CommonOptions.Bounded("--request-timeout", "SECONDS", "Most seconds of a request. Default: no limit.", 1);
    private readonly Option<int?> _drain = CommonOptions.Bounded(
        "--drain", "SECONDS", "How long running requests may go on when the server is told to end. Default: 30.", 0);
    private readonly Option<int?> _rows = CommonOptions.Bounded("--max-rows", "N", "Most texts that a decoder generates at once; others wait. Default: 32.", 1);
    private readonly Option<int?> _queue = CommonOptions.Bounded("--max-queue", "N", "Most requests that wait at a decoder; more get a 429. Default: 256.", 1);
    private readonly Option<string?> _cache = Size("--cache", "Most bytes of a decoder's keys and values, its prefix cache included.");
    private readonly Option<string?> _cluster = new("--cluster")
    {
        HelpName = "WHERE",
        Description = "Serve the models of a fleet, and give it those of --model: localhost[:PORT] for processes of this machine, of which the first takes " +
            "PORT (11111) and the next one, or redis://HOST[:PORT][/SERVICE], by which machines find each other.",
    };
    private readonly Option<bool> _gatewayOnly = CommonOptions.Flag("--gateway-only", "With --cluster: serve the fleet's models and have none here.");
    private readonly Option<int?> _siloPort = CommonOptions.Bounded(
        "--silo-port", "N", "With --cluster: where other machines of the fleet reach this one. Default: a free port.", 1);
    private readonly Option<string?> _siloAddress = new("--silo-address")
    {
        HelpName = "IP",
        Description = "With --cluster redis://…: the address at which other machines reach this one. Default: the one by which it reaches Redis.",
    };
    private readonly Option<string?> _siloName = new("--silo-name")
    {
        HelpName = "NAME", Description = "With --cluster: what this machine is called in logs and on the page. Default: its name and its silo's port.",
    };
    private readonly Option<int?> _dashboard = CommonOptions.Bounded(
        "--dashboard", "PORT", $"With --cluster: show Orleans' dashboard to this machine, at localhost:PORT. Default: {ServeHost.UsualDashboardPort}.", 1);
    private readonly Option<bool> _logRequests = CommonOptions.Flag("--log-requests", "Log every request: its route, status and time.");
    private readonly Option<bool> _logTexts = CommonOptions.Flag("--log-texts", "Log the bodies of requests as well, with the texts in them.");

    public ServeCommand(CliConsole console)
        : base("serve", "Serve models over HTTP: the protocols of OpenAI, llama.cpp, text-embeddings-inference and Hugging Face's tasks", console)
    {
        _dashboard.Arity = ArgumentArity.ZeroOrOne;
        Options.Remove(Common.Model);
        Options.Remove(Common.Revision);
        foreach (Option option in OptionGroups.SelectMany(group => group.Options).Prepend(_models))
            Add(option);
        Validators.Add(result =>
        {
            foreach (Option<int?> option in (Option<int?>[])[_port, _siloPort, _dashboard])
            {
                if (result.GetValue(option) is > ushort.MaxValue and int port)
                    result.AddError($"{option.Name} is {port}; at most {ushort.MaxValue} is possible.");
            }
            Option[] ofCluster = [_gatewayOnly, _siloPort, _siloAddress, _siloName, _dashboard];
            if (result.GetResult(_cluster) is null && ofCluster.FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is Option alone)
                result.AddError($"{alone.Name} needs --cluster.");
            if (result.GetValue(_gatewayOnly)
                && ((Option[])[_models, _preload, _memory, _siloPort, _siloAddress, _siloName, _dashboard])
                    .FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is Option other)
                result.AddError($"{other.Name} is for silos, and --gateway-only makes none. Leave one of them out.");
        });
    }

    internal override IEnumerable<(string Title, Option[] Options)> OptionGroups =>
    [
        ("Where", [_host, _port]),
        ("Models", [_preload, _memory, _rows, _queue, _cache]),
        ("Who may ask, and for how much", [_keys, _keyFile, _origins, _body, _inputs, _timeout, _drain]),
        ("Many machines", [_cluster, _gatewayOnly, _siloPort, _siloAddress, _siloName, _dashboard]),
        ("Logs", [_logRequests, _logTexts]),
    ];

    // What runs may go on for as long as --drain says; the host itself ends that.
    internal override TimeSpan TimeToEnd => TimeSpan.FromHours(1);

    internal override bool EndsBySignal => true;

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        // A file of keys may be a pipe into which nobody writes: whoever ends the command need not wait for it.
        (WebApplicationBuilder builder, ServerOptions options) =
            await Task.Run(() => Begin(context), cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        ClusterMembership? membership = MembershipOf(context);
        if (membership is not null)
            await ClusterHost.JoinAsync(builder, membership, options, cancellationToken).ConfigureAwait(false);
        var drain = TimeSpan.FromSeconds(context.Get(_drain) ?? 30);
        await using ServeHost host = ServeHost.Create(builder, options, context.Get(_host), context.Get(_port), drain,
            context.Get(_logTexts) ? RequestLog.Texts : context.Get(_logRequests) ? RequestLog.Requests : RequestLog.None, membership);
        await host.StartAsync(cancellationToken).ConfigureAwait(false);
        if (membership is not null)
            await host.WaitUntilReadyAsync(s_fleet, cancellationToken).ConfigureAwait(false);
        Show(context, host);
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await host.StopAsync().ConfigureAwait(false);           // Ctrl+C and SIGTERM are how it ends, not an error
        }
        return ExitCodes.Ok;
    }

    private (WebApplicationBuilder Builder, ServerOptions Options) Begin(CommandContext context)
    {
        WebApplicationBuilder builder = ServeHost.Begin();
        return (builder, Settle(context, ServeHost.Configured(builder)));
    }

    // What is said on the command line counts, then the configuration, then the defaults.
    private ServerOptions Settle(CommandContext context, ServerOptions configured)
    {
        string[] named = context.Get(_models) is { Length: > 0 } given ? given : [.. configured.Models];
        ServerOptions options = configured with
        {
            Models = [.. named.Length > 0 ? named.Select(Find) : ModelLocator.Demos.Select(ModelLocator.Demo)],
            Preload = context.Get(_preload) || configured.Preload,
            ApiKeys = [.. configured.ApiKeys, .. context.Get(_keys) ?? [], .. KeysOf(context.Get(_keyFile))],
            CorsOrigins = context.Get(_origins) is { Length: > 0 } origins ? origins : configured.CorsOrigins,
            MaxBodyBytes = BytesOf(context, _body) ?? configured.MaxBodyBytes,
            MaxInputs = context.Get(_inputs) ?? configured.MaxInputs,
            RequestTimeout = context.Get(_timeout) is int seconds ? TimeSpan.FromSeconds(seconds) : configured.RequestTimeout,
            MemoryBytes = BytesOf(context, _memory) ?? configured.MemoryBytes,
            Pipeline = configured.Pipeline with { Load = context.LoadOptions(configured.Pipeline.Load) },
            Generation = configured.Generation with
            {
                MaxRows = context.Get(_rows) ?? configured.Generation.MaxRows,
                MaxQueue = context.Get(_queue) ?? configured.Generation.MaxQueue,
                CacheBytes = BytesOf(context, _cache) ?? configured.Generation.CacheBytes,
            },
        };
        if (options.CorsOrigins.FirstOrDefault(one => !IsOrigin(one)) is string origin)
            throw new UsageException($"--cors-origin is {origin}; scheme, name and port are needed, without a path or a slash at the end: " +
                "http://localhost:3000, or *.");
        if (options.ApiKeys.FirstOrDefault(string.IsNullOrWhiteSpace) is not null)
            throw new UsageException("A key of --api-key is empty; give one that is hard to guess.");
        return options;
    }

    private ClusterMembership? MembershipOf(CommandContext context)
    {
        if (context.Get(_cluster) is not string where)
            return null;
        IPAddress? address = null;
        if (context.Get(_siloAddress) is string text && !IPAddress.TryParse(text, out address))
            throw new UsageException($"--silo-address is {text}; an IP address of this machine is needed.");
        var cluster = ClusterAddress.Parse(where);
        if (address is not null && !cluster.Redis)
            throw new UsageException($"--silo-address is {address}, and silos of --cluster {where} are at 127.0.0.1. Leave it out, or use redis://….");
        if (address is not null && !ClusterAddress.IsOwn(address))
            throw new UsageException($"--silo-address is {address}; an IP address of this machine is needed, at which others reach it.");
        int? dashboard = context.Has(_dashboard) ? context.Get(_dashboard) ?? ServeHost.UsualDashboardPort : null;
        return new ClusterMembership(
            cluster, context.Get(_gatewayOnly), context.Get(_siloPort), address, context.Get(_siloName), dashboard);
    }

    private static bool IsOrigin(string text) =>
        text == "*" || (Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.GetLeftPart(UriPartial.Authority) == text && uri.Host.Length > 0);

    private static string Find(string model)
    {
        string directory = ModelLocator.Resolve(model, revision: null);
        // A model of the hub keeps its name, by which requests call it.
        return Directory.Exists(model) || ModelLocator.Demos.Contains(model) ? directory : model;
    }

    private static string[] KeysOf(string? file)
    {
        if (file is null)
            return [];
        string[] keys = [.. File.ReadAllLines(file).Select(line => line.Trim()).Where(line => line.Length > 0)];
        return keys.Length > 0 ? keys : throw new UsageException($"--api-key-file {file} has no key; one per line is needed.");
    }

    private static void Show(CommandContext context, ServeHost host)
    {
        foreach (ModelStatus model in host.Models.Where(model => model.Problem is not null))
            context.Console.Warn($"{model.Id} cannot be served: {model.Problem}");
        if (host.IsOpenToOthers)
            context.Console.Warn($"Anybody who reaches {host.Address} may ask; --api-key keeps others out.");
        ServedModel[] models = [.. host.Models.Select(model => new ServedModel(model.Id, TasksOf(model)))];
        if (!context.WriteJson(new ServeResult(host.Address, models), CliJsonContext.Relaxed.ServeResult))
        {
            foreach (ServedModel model in models)
                context.Console.Out.WriteLine($"{Cli.Show.Visible(model.Id)}: {(model.Tasks is [] ? "None" : string.Join(", ", model.Tasks))}");
            context.Console.Out.WriteLine($"Serving at {host.Address}; Ctrl+C ends it.");
        }
        context.Console.Out.Flush();
    }

    private static string[] TasksOf(ModelStatus model) =>
        [.. Enum.GetValues<ModelTasks>().Where(task => task != ModelTasks.None && model.Tasks.HasFlag(task)).Select(task => task.ToString())];

    private static Option<string?> Size(string name, string description)
    {
        var option = new Option<string?>(name) { HelpName = "SIZE", Description = description };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && ByteSize.Parse(text) is null)
                result.AddError($"{name} is \"{text}\"; a number of bytes with KB, MB, GB, KiB, MiB or GiB is needed, such as 500MB.");
        });
        return option;
    }

    private static long? BytesOf(CommandContext context, Option<string?> option) => context.Get(option) is string text ? ByteSize.Parse(text) : null;
}

/// <summary>Where it is served, and what.</summary>
internal sealed record ServeResult(string Address, ServedModel[] Models);

/// <summary>A model, and what it can do.</summary>
internal sealed record ServedModel(string Id, string[] Tasks);
