using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server.Tests;

/// <summary>GET /status.</summary>
public sealed class StatusTests
{
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    [SetUp]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddManagedTransformersServer(new ServerOptions
        {
            Models = [DemoServer.ModelPath("demo-codegen"), DemoServer.ModelPath("demo-embed"), "/no/such/model"], MemoryBytes = 1 << 30,
        });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    [TearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Test]
    public async Task Models_are_named_with_their_tasks_and_none_is_loaded_for_it()
    {
        for (int i = 0; i < 2; i++)
        {
            JsonElement status = await StatusAsync();
            Assert.That((status.GetProperty("bytes").GetInt64(), status.GetProperty("memory_bytes").GetInt64()), Is.EqualTo((0, 1 << 30)));
            JsonElement[] models = [.. status.GetProperty("models").EnumerateArray()];
            Assert.That(models.Select(model => model.GetProperty("id").GetString()), Is.EqualTo(new[] { "demo-codegen", "demo-embed", "model" }));
            Assert.That(models.Select(model => model.GetProperty("stage").GetString()), Has.All.EqualTo("unloaded"));
            Assert.That(models.Select(model => string.Join(' ', model.GetProperty("tasks").EnumerateArray())),
                Is.EqualTo(new[] { "generation infill", "embedding feature-extraction", "" }));
            Assert.That(models[0].GetProperty("problem").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That(models[2].GetProperty("problem").GetString(), Does.Contain("There is no directory"));
            Assert.That(models.Any(model => model.TryGetProperty("generation", out _) || model.TryGetProperty("encoder", out _)), Is.False);
        }
    }

    [Test]
    public async Task A_model_in_memory_says_what_its_engine_did()
    {
        string prompt = string.Concat(Enumerable.Repeat("x = 1; ", 50));            // longer than a page of the cache, so that it is kept
        await PostAsync("/v1/completions", $$"""{"prompt": "{{prompt}}", "max_tokens": 5, "ignore_eos": true}""");
        await PostAsync("/v1/embeddings", """{"model": "demo-embed", "input": ["a", "b", "c"]}""");
        JsonElement models, decoder;
        do                                          // an engine says what it did when its step is over, just after the answer
            decoder = (models = (await StatusAsync()).GetProperty("models"))[0].GetProperty("generation");
        while (Total(decoder, "requests") == 0);
        Assert.That(models[0].GetProperty("stage").GetString(), Is.EqualTo("loaded"));
        Assert.That(models[0].GetProperty("bytes").GetInt64(), Is.GreaterThan(14_000_000), "the weights, and what the cache may take");
        Assert.That(decoder.GetProperty("max_rows").GetInt32(), Is.EqualTo(32));
        Assert.That(decoder.GetProperty("cache_bytes").GetInt64(), Is.GreaterThan(0).And.LessThanOrEqualTo(decoder.GetProperty("cache_limit").GetInt64()));
        Assert.That(decoder.GetProperty("cached_prompts").GetInt32(), Is.EqualTo(1));
        Assert.That(Total(decoder, "new_tokens"), Is.EqualTo(5));
        JsonElement encoder = models[1].GetProperty("encoder");
        Assert.That((encoder.GetProperty("running").GetInt32(), encoder.GetProperty("waiting").GetInt32()), Is.EqualTo((0, 0)));
        Assert.That((Total(encoder, "requests"), Total(encoder, "texts"), Total(encoder, "batches")), Is.EqualTo((1, 3, 1)));
    }

    [Test]
    public async Task What_runs_is_seen_while_it_runs_and_no_text_of_it()
    {
        using var ends = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions");
        request.Content = new StringContent("""{"prompt": "secret_name", "max_tokens": 500, "ignore_eos": true, "stream": true, "n": 2}""", Encoding.UTF8);
        using HttpResponseMessage answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ends.Token);
        JsonElement rows;
        do
            rows = (await StatusAsync()).GetProperty("models")[0].GetProperty("generation").GetProperty("rows");
        while (rows.GetArrayLength() < 2);
        Assert.That(rows[0].GetProperty("request").GetInt64(), Is.EqualTo(1));
        Assert.That(rows[0].GetProperty("prompt_tokens").GetInt32(), Is.GreaterThan(1));
        Assert.That(rows[0].GetProperty("row").GetInt32(), Is.Not.EqualTo(rows[1].GetProperty("row").GetInt32()));
        Assert.That((await StatusAsync()).GetRawText(), Does.Not.Contain("secret_name"));
        await ends.CancelAsync();
    }

    private static long Total(JsonElement engine, string name) => engine.GetProperty("totals").GetProperty(name).GetInt64();

    private async Task<JsonElement> StatusAsync() => JsonElement.Parse(await _client.GetStringAsync(new Uri("/status", UriKind.Relative)));

    private async Task PostAsync(string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _client.PostAsync(new Uri(path, UriKind.Relative), content);
        Assert.That(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }
}
