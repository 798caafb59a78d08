using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Reflection;
using ManagedTransformers.Orleans;
using ManagedTransformers.Serving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Hosting;
using Orleans.Runtime;

namespace ManagedTransformers.Bench;

/// <summary>What choosing a silo takes when 64 of them have reported 1,024 blocks each: the function alone, and the call of the directory's grain in a cluster
/// of one process.</summary>
internal static class DirectoryCost
{
    private const int Silos = 64, BlocksOfSilo = 1024, Requests = 20_000, Warm = 2_000;

    public static async Task<int> RunAsync()
    {
        SiloReport[] reports = [.. Enumerable.Range(0, Silos).Select(Report)];
        PlacementRequest[] requests = [.. Enumerable.Range(0, Requests).Select(Request)];
        PlacementCandidate[] silos = [.. reports.Select(report => new DirectoryEntry(report).Candidate)];
        Write("ModelPlacement.Choose", Time(requests, request => ModelPlacement.Choose(silos, request)));
        using IHost host = await StartAsync();
        IModelDirectoryGrain directory = host.Services.GetRequiredService<IGrainFactory>().GetGrain<IModelDirectoryGrain>("of-the-bench");
        var times = new List<double>();
        long version = 1;
        foreach ((int i, PlacementRequest request) in requests.Index())
        {
            // Assigned requests add blocks to an entry; silos report often enough that it stays about as large.
            if (i % Silos == 0)
                await Task.WhenAll(reports.Select(report => directory.ReportAsync(report with { Version = version })));
            version += i % Silos == 0 ? 1 : 0;
            long start = Stopwatch.GetTimestamp();
            await directory.ChooseAsync(request);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        Write("IModelDirectoryGrain.ChooseAsync", times);
        await host.StopAsync();
        return 0;
    }

    private static async Task<IHost> StartAsync()
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.UseOrleans(silo => silo.UseLocalhostClustering(ServedModel.FreePort(), ServedModel.FreePort()).AddManagedTransformers(new ModelSiloOptions
        {
            Host = new ModelHostOptions { Models = [Path.Combine(CheckpointCache.RepositoryRoot, "models", "demo-codegen")] },
        }));
        ServiceDescriptor oracle = builder.Services.Last(service => service.ServiceType == typeof(ISiloStatusOracle));
        builder.Services.AddSingleton(provider => NoneIsDead.Around((ISiloStatusOracle)oracle.ImplementationFactory!(provider)));
        IHost host = builder.Build();
        await host.StartAsync();
        return host;
    }

    // Prompts of 32 blocks, half of which all silos have.
    private static ulong Block(int prompt, int place) => place < 16 ? PrefixBlocks.Mix((ulong)place) : PrefixBlocks.Mix(((ulong)prompt << 16) + (ulong)place);

    private static SiloReport Report(int silo) => new()
    {
        Silo = SiloAddress.New(new IPEndPoint(IPAddress.Parse($"10.0.0.{silo + 1}"), 11111), 1), Version = 0, Name = $"silo-{silo}", Fingerprint = "same",
        KernelLevel = "Avx2", IsLoaded = true, Running = silo % 8, Rows = 32, Interval = TimeSpan.FromMinutes(1),
        Prefixes = [.. Enumerable.Range(0, BlocksOfSilo).Select(i => Block((silo * 63) + (i / 16), i < 16 ? i : 16 + (i % 16)))],
    };

    private static PlacementRequest Request(int number) => new([.. Enumerable.Range(0, 32).Select(place => Block(number * 7 % (Silos * 63), place))]);

    private static List<double> Time(PlacementRequest[] requests, Func<PlacementRequest, object?> call)
    {
        var times = new List<double>();
        foreach (PlacementRequest request in requests)
        {
            long start = Stopwatch.GetTimestamp();
            _ = call(request);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        return times;
    }

    private static void Write(string what, List<double> microseconds)
    {
        double[] sorted = [.. microseconds.Skip(Warm).Order()];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}, {Silos} silos of {BlocksOfSilo} blocks: median {sorted[sorted.Length / 2]:F0} µs, 99 %: {sorted[sorted.Length * 99 / 100]:F0} µs"));
    }

    /// <summary>Says of the 64 silos, which are not there, that none is dead: the directory would forget them.</summary>
#pragma warning disable CA1852                                                     // DispatchProxy derives from it
    internal class NoneIsDead : DispatchProxy
#pragma warning restore CA1852
    {
        private ISiloStatusOracle _oracle = null!;

        public static ISiloStatusOracle Around(ISiloStatusOracle oracle)
        {
            ISiloStatusOracle proxy = Create<ISiloStatusOracle, NoneIsDead>();
            ((NoneIsDead)proxy)._oracle = oracle;
            return proxy;
        }

        protected override object? Invoke(MethodInfo? method, object?[]? arguments) =>
            method!.Name == nameof(ISiloStatusOracle.IsDeadSilo) ? false : method.Invoke(_oracle, arguments);
    }
}
