using System.Net;
using ManagedTransformers.Kernels;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>A server with the demo models for tests of llama.cpp's routes, and what its answers are compared with.</summary>
internal sealed class LlamaServer : IAsyncDisposable
{
    /// <summary>A model without tokens of infilling.</summary>
    public const string NoMasks = "llama-no-masks";

    private readonly WebApplication _app;
    private TextGenerator? _generator;

    private LlamaServer(WebApplication app)
    {
        _app = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Client { get; }

    /// <summary>The model that generates, in-process.</summary>
    public TextGenerator Generator => _generator ??= TextGenerator.Load(ModelPath("demo-codegen"));

    /// <param name="rows">The most texts at once.</param>
    /// <param name="isSlow">Whether a text takes seconds, so that a test can look while it runs.</param>
    public static async Task<LlamaServer> StartAsync(int? rows = null, bool isSlow = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        var options = new ServerOptions { Models = [ModelPath("demo-codegen"), ModelPath("demo-embed"), DemoServer.WithoutMasks(NoMasks)] };
        if (isSlow)
        {
            var load = new LoadOptions { Kernels = new KernelOptions { Level = KernelLevel.Reference } };
            options = options with { Pipeline = new PipelineOptions { Load = load } };
        }
        builder.Services.AddManagedTransformersServer(
            rows is int most ? options with { Generation = new Serving.GenerationEngineOptions { MaxRows = most } } : options);
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        await app.StartAsync();
        return new LlamaServer(app);
    }

    public static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    public async Task<string> PostRawAsync(string route, string body)
    {
        using HttpResponseMessage answer = await SendAsync(route, body);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, text);
        return text;
    }

    public async Task<JsonElement> PostAsync(string route, string body) => JsonElement.Parse(await PostRawAsync(route, body));

    /// <summary>The frames of a stream.</summary>
    public async Task<JsonElement[]> StreamAsync(string route, string body)
    {
        using HttpResponseMessage answer = await SendAsync(route, body);
        Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        string text = await answer.Content.ReadAsStringAsync();
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line["data: ".Length..]))];
    }

    public async Task<(HttpStatusCode Status, JsonElement Error)> ErrorAsync(string route, string body)
    {
        using HttpResponseMessage answer = await SendAsync(route, body);
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("error"));
    }

    public async Task<(HttpStatusCode Status, JsonElement Body)> GetAsync(string route)
    {
        using HttpResponseMessage answer = await Client.GetAsync(new Uri(route, UriKind.Relative));
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()));
    }

    public async Task<HttpResponseMessage> SendAsync(string route, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await Client.PostAsync(new Uri(route, UriKind.Relative), content);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        _generator?.Dispose();
        await _app.DisposeAsync();
    }
}

/// <summary>One server for the tests of a class.</summary>
public abstract class LlamaTests
{
    private protected LlamaServer Server { get; private set; } = null!;

    private protected TextGenerator Generator => Server.Generator;

    [OneTimeSetUp]
    public async Task StartAsync() => Server = await LlamaServer.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await Server.DisposeAsync();

    private protected Task<JsonElement> CompleteAsync(string body) => Server.PostAsync("/completion", body);

    /// <summary>The best text, token by token.</summary>
    private protected GeneratedSequence Best(string prompt, int tokens) =>
        Generator.GenerateSequences([prompt], new GenerationOptions { MaxNewTokens = tokens }).Sequences[0];

    private protected static string Content(JsonElement answer) => answer.GetProperty("content").GetString()!;

    private protected static string StopType(JsonElement answer) => answer.GetProperty("stop_type").GetString()!;

    private protected static int Count(JsonElement answer, string name) => answer.GetProperty(name).GetInt32();

    private protected static int[] Ids(JsonElement answer) => [.. answer.GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32())];
}
