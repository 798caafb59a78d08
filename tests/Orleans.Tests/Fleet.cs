using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.TestingHost;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>The fleet of all tests that leave its silos alone.</summary>
[SetUpFixture]
public sealed class SharedFleet
{
    internal static Fleet Fleet { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task Start() => Fleet = await Fleet.StartAsync();

    [OneTimeTearDown]
    public async Task Stop() => await Fleet.DisposeAsync();
}

/// <summary>Three silos in this process, each with a demo model of its own in memory, and a client.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    public const string Model = "demo-codegen";

    private Fleet(InProcessTestCluster cluster) => Cluster = cluster;

    public InProcessTestCluster Cluster { get; }

    public ClusterGenerator Generator => new(Cluster.Client, Model);

    public static ModelSiloOptions Options => new()
    {
        Host = new ModelHostOptions
        {
            Models = [Path.Combine(RepositoryRoot.Path, "models", Model)], Generation = new() { CacheBytes = 100_000_000, MaxRows = 8 },
        },
        Preload = [Model],
        ReportInterval = TimeSpan.FromSeconds(0.5),
    };

    public static async Task<Fleet> StartAsync()
    {
        var builder = new InProcessTestClusterBuilder(3) { Options = { ConfigureFileLogging = false } };
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddManagedTransformers(Options);
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(3));
            silo.Configure<ClusterMembershipOptions>(options =>
                (options.ProbeTimeout, options.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 1));
        });
        builder.ConfigureClient(client =>
        {
            client.AddManagedTransformers();
            client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(3));
        });
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        var fleet = new Fleet(cluster);
        await fleet.UntilAsync(silos => silos.Count == 3 && silos.All(silo => silo.IsLoaded));
        return fleet;
    }

    /// <summary>Waits until the directory says something of the silos. A minute without it is a fault.</summary>
    public async Task<IReadOnlyList<ClusterSilo>> UntilAsync(Func<IReadOnlyList<ClusterSilo>, bool> what)
    {
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            IReadOnlyList<ClusterSilo> silos = await Generator.GetSilosAsync();
            if (what(silos))
                return silos;
            await Task.Delay(10, guard.Token);
        }
    }

    /// <summary>The engine of a silo.</summary>
    public async Task<GenerationEngine> EngineOf(InProcessSiloHandle silo)
    {
        SiloModels models = silo.ServiceProvider.GetRequiredService<SiloModels>();
        ModelLease lease = await models.AcquireAsync(Model, CancellationToken.None);
        models.Release(lease);
        return lease.Generation!;
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
