using System.Security.Cryptography;
using System.Text.Json;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.TestingHost;

namespace ManagedTransformers.Orleans.Tests.Corpora;

/// <summary>Three silos in this process for jobs over corpora, a client, and a directory with an input.</summary>
internal sealed class CorpusFleet : IAsyncDisposable
{
    public static readonly string[] Models = ["demo-embed", "demo-language-id", "demo-tag", "demo-codegen"];

    private readonly InProcessTestCluster _cluster;

    private CorpusFleet(InProcessTestCluster cluster) => _cluster = cluster;

    public InProcessTestCluster Cluster => _cluster;

    /// <summary>Where input and results are.</summary>
    public string Folder { get; } = System.IO.Directory.CreateTempSubdirectory("mtx-fleet-corpus").FullName;

    public string Input => Path.Combine(Folder, "in.jsonl");

    /// <summary>Starts silos, of which the i-th has some options.</summary>
    public static async Task<CorpusFleet> StartAsync(Func<int, ModelHostOptions>? options = null)
    {
        var builder = new InProcessTestClusterBuilder(3) { Options = { ConfigureFileLogging = false } };
        int started = -1;
        builder.ConfigureSilo((_, silo) =>
        {
            ModelHostOptions host = options?.Invoke(Interlocked.Increment(ref started)) ?? Host(Models);
            silo.AddManagedTransformers(new ModelSiloOptions { Host = host });
            silo.Configure<SiloMessagingOptions>(messaging => messaging.ResponseTimeout = TimeSpan.FromSeconds(3));
            silo.Configure<ClusterMembershipOptions>(members =>
                (members.ProbeTimeout, members.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 1));
        });
        builder.ConfigureClient(client =>
        {
            client.AddManagedTransformers();
            client.Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = TimeSpan.FromSeconds(3));
        });
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        return new CorpusFleet(cluster);
    }

    /// <summary>A silo's models.</summary>
    public static ModelHostOptions Host(string[] models, KernelLevel? level = null) => new()
    {
        Models = [.. models.Select(PathOf)], Generation = new() { CacheBytes = 10_000_000 },
        Pipeline = level is null ? PipelineOptions.Default : new() { Load = new LoadOptions { Kernels = new KernelOptions { Level = level.Value } } },
    };

    public static string PathOf(string model) => Path.Combine(RepositoryRoot.Path, "models", model);

    /// <summary>Everything that a directory has, files in the order of their names; of large ones their SHA-256.</summary>
    public static string Contents(string directory) => string.Join('\n', System.IO.Directory.GetFiles(directory).Order(StringComparer.Ordinal)
        .Where(file => Path.GetFileName(file) != ".lock").Select(file => $"{Path.GetFileName(file)}\n{ContentOf(file)}"));

    private static string ContentOf(string file)
    {
        if (new FileInfo(file).Length < 100_000)
            return File.ReadAllText(file);
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexString(SHA256.HashData(stream));
    }

    /// <summary>Writes an input; one line in a hundred has no text.</summary>
    public void Write(int texts)
    {
        using var writer = new StreamWriter(Input);
        for (int i = 0; i < texts; i++)
            writer.WriteLine(i % 100 == 50 ? "{" : JsonSerializer.Serialize(new { name = $"t{i}", text = $"x{i} = f({i * 7 % 13})" }));
    }

    public string Directory(string name) => Path.Combine(Folder, name);

    public ClusterCorpusJob Job(string model, string directory, CorpusOptions options, int workers = 1) =>
        new(_cluster.Client, model, Input, Directory(directory), options, workers);

    /// <summary>The same job on this machine alone.</summary>
    public CorpusTotals RunAlone(CorpusTask task, string directory, CorpusOptions options)
    {
        using CorpusJob job = CorpusJob.Open(Input, Directory(directory), task, options);
        return job.Run();
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        System.IO.Directory.Delete(Folder, recursive: true);
    }
}
