using Microsoft.Extensions.Hosting;
using Orleans;
using Orleans.Hosting;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>The C# samples of docs/scale-out.md, compiled; the second runs on three silos.</summary>
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
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/scale-out.md");
}
