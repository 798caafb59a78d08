using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>The C# samples of docs/scale-out.md, compiled; the second and the third run on three silos.</summary>
public sealed class ScaleOutDocumentTests : DocumentTest
{
    [Test]
    public void Sample_1_is_a_silo()
    {
        // sample
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.UseOrleans(silo => silo
            .UseLocalhostClustering()
            .AddManagedTransformers(new ModelSiloOptions
            {
                Host = new ModelHostOptions { Models = ["models/demo-codegen"], MemoryBytes = 400_000_000 },
                Preload = ["demo-codegen"],
            }));
        using IHost host = builder.Build();
        // end
        Assert.That(host.Services.GetService(typeof(SiloModels)), Is.Not.Null);
    }

    [Test]
    public async Task Sample_2_generates_on_any_silo()
    {
        IClusterClient client = SharedFleet.Fleet.Cluster.Client;
        // sample
        using TextGenerator local = TextGenerator.Load("models/demo-codegen");
        var generator = new ClusterGenerator(client, "demo-codegen");
        var request = new GenerationRequest(local.Encode("def add(a, b):\n")) { Options = new GenerationOptions { MaxNewTokens = 32 } };
        await foreach (GenerationUpdate update in generator.StreamAsync(request))
            Console.Write(update.Piece.Text);
        // end
        Assert.That(Output.ToString(), Is.EqualTo(local.Generate("def add(a, b):\n", request.Options)));
    }

    [Test]
    public async Task Sample_3_embeds_on_any_silo()
    {
        IClusterClient client = SharedFleet.Fleet.Cluster.Client;
        // sample
        var encoder = new ClusterEncoder(client, "demo-embed");
        IReadOnlyList<TextEmbedding> embeddings = await encoder.EmbedAsync(["def add(a, b): return a + b"]);
        // end
        Assert.That(embeddings[0].Vector, Has.Length.GreaterThan(0));
    }

    [Test]
    public async Task Sample_4_is_a_gateway()
    {
        // sample
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.UseOrleansClient(cluster => cluster.UseLocalhostClustering().AddManagedTransformers());
        builder.Services.AddManagedTransformersServer(new ServerOptions());
        builder.UseManagedTransformersCluster();
        await using WebApplication app = builder.Build();
        app.MapManagedTransformers();
        // end
        Assert.That(app.Services.GetService<ModelBackend>(), Is.InstanceOf<Gateway.ClusterBackend>());
    }

    [Test]
    public void Sample_5_is_a_silo_over_Redis()
    {
        // sample
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.UseOrleans(silo => silo
            .UseRedisClustering("redis:6379,abortConnect=false")
            .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = ("production", "models"))
            .ConfigureEndpoints(siloPort: 11111, gatewayPort: 30000)
            .AddManagedTransformers(new ModelSiloOptions { Host = new ModelHostOptions { Models = ["models/demo-codegen"] } }));
        // end
        using IHost host = builder.Build();
        Assert.That(host.Services.GetService(typeof(IMembershipTable))?.GetType().Name, Does.Contain("Redis"));
    }

    [Test]
    public async Task Sample_6_scores_a_corpus()
    {
        IClusterClient client = SharedFleet.Fleet.Cluster.Client;
        string results = Directory.CreateTempSubdirectory().FullName;
        // sample
        var job = new ClusterCorpusJob(client, "demo-codegen", "samples/texts.jsonl", results, new CorpusOptions { IdField = "name" });
        CorpusTotals totals = await job.ScoreAsync();
        Console.WriteLine($"{totals.Texts} texts, {totals.SetAside} set aside");
        // end
        Assert.That(Output.ToString(), Is.EqualTo($"3 texts, 1 set aside{Environment.NewLine}"));
        Directory.Delete(results, recursive: true);
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/scale-out.md");
}
