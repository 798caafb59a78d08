using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>OpenAI's routes answer as its clients expect.</summary>
public sealed class OpenAITests
{
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        string[] names = ["demo-codegen", "demo-embed"];
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [.. names.Select(ModelPath)] });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Test]
    public async Task A_text_is_the_generators_own()
    {
        using var generator = TextGenerator.Load(ModelPath("demo-codegen"));
        string own = generator.Generate("def add(a, b):\n", new GenerationOptions { MaxNewTokens = 12 });
        JsonElement answer = await PostAsync("/v1/completions", """{"prompt": "def add(a, b):\n", "max_tokens": 12, "temperature": 0}""");
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(own));
    }

    [Test]
    public async Task An_echo_has_a_log_probability_for_each_token()
    {
        JsonElement answer = await PostAsync("/v1/completions", """{"prompt": "a = 1\n", "max_tokens": 0, "echo": true, "logprobs": 1, "temperature": 0}""");
        JsonElement all = answer.GetProperty("choices")[0].GetProperty("logprobs");
        int tokens = answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.That(all.GetProperty("tokens").GetArrayLength(), Is.EqualTo(tokens));
        Assert.That(all.GetProperty("token_logprobs")[0].ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(all.GetProperty("text_offset")[0].GetInt32(), Is.Zero);
    }

    private async Task<JsonElement> PostAsync(string route, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _client.PostAsync(new Uri(route, UriKind.Relative), content);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, text);
        return JsonElement.Parse(text);
    }

    private static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);
}
