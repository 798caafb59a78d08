using Microsoft.Extensions.DependencyInjection;
using Orleans;
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

    /// <summary>A cross-encoder with random weights, whose scores differ.</summary>
    public static string Reranker { get; } = MakeReranker();

    private static readonly string[] s_models = [Model, "demo-embed", "demo-fill-mask", "demo-language-id", "demo-tag"];

    private Fleet(InProcessTestCluster cluster) => Cluster = cluster;

    public InProcessTestCluster Cluster { get; }

    public ClusterGenerator Generator => new(Cluster.Client, Model);

    /// <summary>The same model under another name, which no silo has in memory at first.</summary>
    public const string Spare = "demo-codegen-spare";

    private static readonly string s_spare = CopyOfModel();

    public static ModelSiloOptions Options => new()
    {
        Host = new ModelHostOptions
        {
            Models = [.. s_models.Select(name => Path.Combine(RepositoryRoot.Path, "models", name)), Reranker, s_spare],
            Generation = new() { CacheBytes = 100_000_000, MaxRows = 8 },
        },
        Preload = [Model],
        ReportInterval = TimeSpan.FromSeconds(0.5),
    };

    /// <summary>Starts the silos and a client.</summary>
    /// <param name="calls">Hears of every call of the client; null: nobody does.</param>
    /// <param name="served">Hears of every call on the silos; null: nobody does.</param>
    public static async Task<Fleet> StartAsync(IOutgoingGrainCallFilter? calls = null, IIncomingGrainCallFilter? served = null)
    {
        var builder = new InProcessTestClusterBuilder(3) { Options = { ConfigureFileLogging = false } };
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddManagedTransformers(Options);
            if (served is not null)
                silo.AddIncomingGrainCallFilter(served);
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(3));
            silo.Configure<ClusterMembershipOptions>(options =>
                (options.ProbeTimeout, options.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 1));
        });
        builder.ConfigureClient(client =>
        {
            client.AddManagedTransformers();
            if (calls is not null)
                client.AddOutgoingGrainCallFilter(calls);
            client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(3));
        });
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        var fleet = new Fleet(cluster);
        await fleet.UntilAsync(silos => silos.Count == 3 && silos.All(silo => silo.IsLoaded));
        return fleet;
    }

    /// <summary>Waits until the directory says something of the silos. A minute without it is a fault.</summary>
    public Task<IReadOnlyList<ClusterSilo>> UntilAsync(Func<IReadOnlyList<ClusterSilo>, bool> what) => UntilAsync(Generator, what);

    /// <inheritdoc cref="UntilAsync(Func{IReadOnlyList{ClusterSilo}, bool})"/>
    public static async Task<IReadOnlyList<ClusterSilo>> UntilAsync(ClusterGenerator generator, Func<IReadOnlyList<ClusterSilo>, bool> what)
    {
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            IReadOnlyList<ClusterSilo> silos = await generator.GetSilosAsync();
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

    private static string MakeReranker()
    {
        string tokens = Path.Combine(RepositoryRoot.Path, "models", "demo-fill-mask");
        string directory = Path.Combine(TestContext.CurrentContext.WorkDirectory, "demo-rerank");
        using var masks = FillMaskPipeline.Load(tokens);
        PretrainedConfig config = masks.Model.Config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" }, InitializerRange = 0.2 };
        using var model = (PretrainedModel)PretrainedModels.FromConfig<ISequenceClassifier>(config, seed: 3);
        model.Save(directory);
        foreach (string file in Directory.GetFiles(tokens, "tokenizer*.json"))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)), overwrite: true);
        return directory;
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    private static string CopyOfModel()
    {
        string copy = Path.Combine(Directory.CreateTempSubdirectory("fleet-").FullName, Spare);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "models", Model)))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path.GetDirectoryName(copy)!, recursive: true);
        return copy;
    }
}
