using System.Diagnostics;
using System.Globalization;
using System.Net;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Bench;

/// <summary><c>server-load [REQUESTS] [CLIENTS] [SEED] [MINUTES]</c>: a server in a process of its own under a load of right and wrong requests, and its memory
/// meanwhile.</summary>
internal static class ServerLoadCommand
{
    public const string Command = "server-load", HostCommand = "server-load-host";
    private const int Cases = 1000;

    /// <summary>The server, until its standard input ends.</summary>
    public static async Task<int> HostAsync(string[] models)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Error);
        builder.Services.AddManagedTransformersServer(Options(models));
        await using WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        app.MapManagedTransformersFallback();
        await app.StartAsync().ConfigureAwait(false);
        Console.WriteLine(app.Urls.First());
        await Console.In.ReadToEndAsync().ConfigureAwait(false);
        long before = GC.GetTotalMemory(forceFullCollection: false);
        Console.WriteLine($"managed memory at the end {before >> 20} MB, live {GC.GetTotalMemory(forceFullCollection: true) >> 20} MB");
        await app.StopAsync().ConfigureAwait(false);
        return 0;
    }

    /// <summary>A server whose cache is full soon, so that its memory can be flat, and whose queue is full now and then.</summary>
    public static ServerOptions Options(IReadOnlyList<string> models) => new()
    {
        Models = models, Preload = true, Generation = new GenerationEngineOptions { CacheBytes = 32 << 20, MaxQueue = 16 },
    };

    public static async Task<int> RunAsync(string[] args)
    {
        int[] numbers = [.. args.Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        int requests = numbers.ElementAtOrDefault(0) is > 0 and int count ? count : 100_000;
        using var models = LoadModels.OfRepository();
        Console.WriteLine($"Computing the right answers of {Cases} requests …");
        int seed = numbers.ElementAtOrDefault(2);
        LoadCase[] cases = LoadCases.Make(models, seed, Cases);
        using Process server = Start(models.Directories);
        string address = await server.StandardOutput.ReadLineAsync().ConfigureAwait(false) ?? throw new InvalidOperationException("The server did not start.");
        await ReadyAsync(address).ConfigureAwait(false);
        var memory = new MemoryCurve(server.Id);
        long start = Stopwatch.GetTimestamp();
        ServerLoadResult result = await ServerLoad.RunAsync(new ServerLoadSettings
        {
            Server = IPEndPoint.Parse(new Uri(address).Authority), Requests = requests, Seed = seed,
            Clients = numbers.ElementAtOrDefault(1) is > 0 and int clients ? clients : 32, Progress = memory.Sample,
            Most = numbers.ElementAtOrDefault(3) is > 0 and int minutes ? TimeSpan.FromMinutes(minutes) : Timeout.InfiniteTimeSpan,
        }, cases).ConfigureAwait(false);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        await Task.Delay(TimeSpan.FromSeconds(3)).ConfigureAwait(false);
        foreach ((string what, int times) in result.Counts.OrderBy(one => one.Key, StringComparer.Ordinal))
            Console.WriteLine($"{times,8} {what}");
        foreach (string failure in result.Failures)
            Console.WriteLine(failure);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Requests} requests in {took.TotalSeconds:F0} s"));
        memory.Write();
        server.StandardInput.Close();
        Console.WriteLine(await server.StandardOutput.ReadLineAsync().ConfigureAwait(false));
        await server.WaitForExitAsync().ConfigureAwait(false);
        return result.Failures.Count == 0 && server.ExitCode == 0 ? 0 : 1;
    }

    private static Process Start(IEnumerable<string> models)
    {
        // Started as "dotnet Bench.dll", this process is dotnet, which has to be told the program again.
        string program = Environment.ProcessPath!;
        string[] self = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        return Process.Start(new ProcessStartInfo(program, [.. self, HostCommand, .. models])
        {
            RedirectStandardOutput = true, RedirectStandardInput = true, UseShellExecute = false,
        })!;
    }

    private static async Task ReadyAsync(string address)
    {
        using var http = new HttpClient();
        while (!(await http.GetAsync(new Uri($"{address}/readyz")).ConfigureAwait(false)).IsSuccessStatusCode)
            await Task.Delay(50).ConfigureAwait(false);
    }
}
