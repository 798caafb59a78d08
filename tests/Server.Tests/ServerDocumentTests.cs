using System.ClientModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using OpenAI;
using OpenAI.Embeddings;

namespace ManagedTransformers.Server.Tests;

/// <summary>The C# samples of docs/server.md, compiled and run.</summary>
public sealed class ServerDocumentTests : DocumentTest
{
    [Test]
    public async Task Sample_1_serves_two_models()
    {
        // sample
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = ["models/demo-codegen", "models/demo-embed"] });
        WebApplication app = builder.Build();
        app.MapManagedTransformers();
        app.Urls.Add("http://127.0.0.1:0");                    // any free port
        await app.StartAsync();
        Console.WriteLine($"Serving at {app.Urls.First()}");
        // end
        using var client = new HttpClient();
        Assert.That(await client.GetStringAsync(new Uri($"{app.Urls.First()}/v1/models")), Does.Contain("\"demo-embed\""));
        await app.DisposeAsync();
    }

    [Test]
    public async Task Sample_2_asks_with_OpenAIs_client()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = ["models/demo-codegen", "models/demo-embed"] });
        await using WebApplication app = builder.Build();
        app.MapManagedTransformers();
        app.Urls.Add("http://127.0.0.1:0");
        await app.StartAsync();
        // sample
        var openai = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri($"{app.Urls.First()}/v1") });
        EmbeddingClient embeddings = openai.GetEmbeddingClient("demo-embed");
        OpenAIEmbedding vector = await embeddings.GenerateEmbeddingAsync("Sort a list of numbers.");
        Console.WriteLine($"{vector.ToFloats().Length} numbers");
        // end
        using var pipeline = SentenceEmbeddingPipeline.Load("models/demo-embed");
        float[] own = pipeline.Embed("Sort a list of numbers.");
        Assert.That(vector.ToFloats().ToArray(), Is.EqualTo(own).Within(1e-5));
        Assert.That(Output.ToString(), Does.Contain($"{own.Length} numbers"));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/server.md");
}
