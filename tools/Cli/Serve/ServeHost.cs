using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ManagedTransformers.Cli;

/// <summary>What is logged of requests.</summary>
internal enum RequestLog
{
    None,
    Requests,
    Texts,
}

/// <summary>The web app of mtx serve: models, all routes, logs on standard error.</summary>
internal sealed class ServeHost : IAsyncDisposable
{
    public const int UsualPort = 8080;
    public const int UsualDashboardPort = 8088;
    private const string UnixSocket = "http://unix:";
    private readonly WebApplication _app;
    private readonly ServerOptions _options;
    private readonly ClusterMembership? _membership;
    private readonly string _asked;

    private ServeHost(WebApplication app, ServerOptions options, ClusterMembership? membership) =>
        (_app, _options, _membership, _asked) = (app, options, membership, string.Join(", ", app.Urls));

    /// <summary>Where it listens.</summary>
    public string Address => _app.Urls.First();

    public IReadOnlyList<ModelStatus> Models => _app.Services.GetRequiredService<ServerModels>().All;

    /// <summary>Whether it has no key and is reached from other machines.</summary>
    public bool IsOpenToOthers => _options.ApiKeys.Count == 0 && _app.Urls.Any(url => !url.Contains("//unix:", StringComparison.Ordinal)
        && Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && !uri.IsLoopback);

    /// <summary>Begins the app: its configuration is that of the current directory and the environment.</summary>
    /// <exception cref="UsageException">appsettings.json is no JSON, or has a value that .NET's own settings cannot have.</exception>
    public static WebApplicationBuilder Begin()
    {
        try
        {
            return WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = Environment.CurrentDirectory });
        }
        catch (InvalidDataException e)
        {
            throw new UsageException($"{e.Message} {e.InnerException?.Message}".TrimEnd());
        }
        catch (InvalidOperationException e)
        {
            throw WrongConfiguration(e);
        }
    }

    /// <summary>What appsettings.json of the current directory and the environment say.</summary>
    /// <exception cref="UsageException">A key is unknown, or a value is none.</exception>
    public static ServerOptions Configured(WebApplicationBuilder builder)
    {
        try
        {
            return builder.Configuration.GetSection(ServerConfiguration.SectionName).GetServerOptions();
        }
        catch (OptionsValidationException e)
        {
            throw new UsageException(string.Join(" ", e.Failures));
        }
    }

    public static ServeHost Create(WebApplicationBuilder builder, ServerOptions options, string? host, int? port, TimeSpan drain, RequestLog log,
        ClusterMembership? membership = null)
    {
        Log(builder.Logging, log);
        builder.Services.Configure<HostOptions>(all => all.ShutdownTimeout = drain);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddManagedTransformersServer(options with { LogTexts = log == RequestLog.Texts || options.LogTexts });
        Measure(builder);
        WebApplication app = Built(builder);
        // ASPNETCORE_URLS, ASPNETCORE_HTTP_PORTS and the like count where the command line says nothing.
        bool isSaid = host is not null || port is not null;
        if (isSaid || (builder.Configuration["urls"] ?? builder.Configuration["http_ports"] ?? builder.Configuration["Kestrel:Endpoints:Http:Url"]) is null)
            app.Urls.Add(UrlOf(host ?? "localhost", port ?? UsualPort));
        if (options.CorsOrigins.Count > 0)
            app.UseCors();
        app.MapManagedTransformers();
        app.MapManagedTransformersPage();
        app.MapManagedTransformersFallback();
        if (membership is not null)
            RequireOwnPorts(app.Urls, membership);
        if (membership?.DashboardPort is int dashboard)
            ClusterHost.MapDashboard(app, dashboard);
        return new ServeHost(app, options, membership);
    }

    private static WebApplication Built(WebApplicationBuilder builder)
    {
        try
        {
            return builder.Build();
        }
        catch (InvalidOperationException e)
        {
            throw WrongConfiguration(e);
        }
    }

    // Logging levels and the like, which ASP.NET Core reads itself, without a name of the key.
    private static UsageException WrongConfiguration(InvalidOperationException e) =>
        new($"appsettings.json of the current directory or a variable of the environment is wrong: {e.Message}");

    /// <exception cref="IOException">The address cannot be listened at, or the cluster does not take this process.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (_membership is not null)
        {
            RequireFree();
            limit.CancelAfter(_membership.GatewayOnly ? ClusterAddress.TimeToFind : _membership.Address.TimeToJoin);
        }
        foreach (string url in _app.Urls.Where(url => url.StartsWith(UnixSocket, StringComparison.Ordinal)))
            RemoveDeadSocket(url[UnixSocket.Length..]);
        try
        {
            await _app.StartAsync(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            ClusterAddress address = _membership!.Address;
            throw new IOException(_membership.GatewayOnly ? address.NoSilo : $"The cluster at {address.Host}:{address.Port} did not take this process within " +
                $"{address.TimeToJoin.TotalSeconds} s. Is another program there, or are silos lost that have not been noticed yet?", e);
        }
        catch (Exception e) when (e is IOException or SocketException or FormatException or UnauthorizedAccessException
            || e is InvalidOperationException { Source: "Microsoft.AspNetCore.Server.Kestrel.Core" })      // https, and localhost with port 0
        {
            string what = _asked.Length > 0 ? _asked : "The configured address";
            string why = e.Message.Contains("UseKestrelHttpsConfiguration", StringComparison.Ordinal)
                ? "https is not spoken here. Put a proxy with TLS before it, and listen at an http address" : e.Message.TrimEnd('.');
            throw new IOException($"{what} cannot be listened at: {why}. Choose another one with --host and --port.", e);
        }
        catch (Exception e) when (_membership is not null && ClusterHost.ProblemOf(e, _membership.Address) is string problem)
        {
            throw new IOException(problem, e);
        }
    }

    /// <summary>Waits until requests are answered, for some time.</summary>
    public async Task WaitUntilReadyAsync(TimeSpan most, CancellationToken cancellationToken)
    {
        ServerModels models = _app.Services.GetRequiredService<ServerModels>();
        long start = Stopwatch.GetTimestamp();
        while (!models.IsReady && Stopwatch.GetElapsedTime(start) < most)
            await Task.Delay(20, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes no more requests, and waits for those that run.</summary>
    public Task StopAsync() => _app.StopAsync(CancellationToken.None);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Removes the socket of a run that was killed: nobody answers there, and nobody could listen there again.</summary>
    private static void RemoveDeadSocket(string path)
    {
        if (SystemCalls.IsSocket(path) != true)
            return;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e)
        {
            // Anything else says that somebody may be there, who has the address.
            if (e.SocketErrorCode == SocketError.ConnectionRefused)
                File.Delete(path);
        }
    }

    // Two of its own ports that are one would look as if somebody else had it.
    private static void RequireOwnPorts(IEnumerable<string> urls, ClusterMembership membership)
    {
        (string Option, int? Port)[] others = [("--silo-port", membership.SiloPort), ("--dashboard", membership.DashboardPort)];
        foreach (int port in urls.Select(PortOf).OfType<int>())
        {
            if (Array.Find(others, other => other.Port == port) is { Option: string option })
                throw new UsageException($"--port and {option} are both {port}; give each a port of its own.");
        }
        if (membership.SiloPort is int silo && silo == membership.DashboardPort)
            throw new UsageException($"--silo-port and --dashboard are both {silo}; give each a port of its own.");
    }

    // Orleans starts before Kestrel: a silo would join, and leave again when its server finds the port taken.
    private void RequireFree()
    {
        foreach (string url in _app.Urls)
        {
            if (PortOf(url) is int port && Uri.TryCreate(url, UriKind.Absolute, out Uri? uri)
                && (IPAddress.TryParse(uri.IdnHost, out IPAddress? address) || (uri.IdnHost == "localhost" && (address = IPAddress.Loopback) is not null))
                && !ClusterAddress.IsFree(address, port))
                throw new IOException($"{url} cannot be listened at: the port is in use. Choose another one with " +
                    $"{(port == _membership!.DashboardPort ? "--dashboard" : "--port")}.");
        }
    }

    // Null: a Unix socket, or any free port.
    private static int? PortOf(string url) =>
        !url.Contains("//unix:", StringComparison.Ordinal) && Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Port > 0 ? uri.Port : null;

    private static string UrlOf(string host, int port)
    {
        if (host.EndsWith(".sock", StringComparison.Ordinal))
            return $"{UnixSocket}{Path.GetFullPath(host)}";
        // No free port can be asked for at both addresses of localhost.
        if (host == "localhost")
            return $"http://{(port == 0 ? "127.0.0.1" : host)}:{port}";
        // Kestrel would listen at all addresses for any other name, a mistyped one as well.
        return IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address)
            ? $"http://{(address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address)}:{port}"
            : throw new UsageException(
                $"--host is {host}; localhost or an address is needed, such as 0.0.0.0 (all of this machine's), or a path that ends in .sock.");
    }

    // Standard output is for the address alone. What appsettings.json says of logs counts beside this.
    private static void Log(ILoggingBuilder logging, RequestLog log)
    {
        logging.ClearProviders().AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        logging.Services.AddSingleton<ConsoleFormatter, LogFormatter>();
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName = LogFormatter.FormatName);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);     // what keeps it from starting is the command's error
        if (log != RequestLog.None)
            logging.AddFilter("ManagedTransformers", LogLevel.Debug);
    }

    // Metrics and traces go to a collector where OpenTelemetry's own variables name one.
    private static void Measure(WebApplicationBuilder builder)
    {
        if (builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is null)
            return;
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("mtx"))
            .WithMetrics(metrics => metrics.AddMeter(ModelTelemetry.Name, "Microsoft.AspNetCore.Hosting"))
            .WithTracing(traces => traces.AddSource(ModelTelemetry.Name, "Microsoft.AspNetCore"))
            .UseOtlpExporter();
    }

    // The command line hears of Ctrl+C and SIGTERM.
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
