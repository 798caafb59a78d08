using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>The C# sample of docs/server.md, compiled and run.</summary>
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
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/server.md");
}
