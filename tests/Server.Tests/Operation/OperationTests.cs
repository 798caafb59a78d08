using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server.Tests;

/// <summary>Running a server: probes, limits, unknown routes, and its end.</summary>
public sealed class OperationTests
{
    private static string Demo => Path.Combine(RepositoryRoot.Path, "models", "demo-codegen");

    [TestCase("/health")]
    [TestCase("/v1/health")]
    [TestCase("/readyz")]
    [TestCase("/livez")]
    public async Task A_server_says_whether_it_lives_and_is_ready_without_a_key(string path)
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo], ApiKeys = ["secret"] });
        Assert.That(await server.GetAsync(path), Is.EqualTo((200, """{"status":"ok"}""")));
        Assert.That((await server.GetAsync("/v1/models")).Status, Is.EqualTo(401));
        using var head = new HttpRequestMessage(HttpMethod.Head, path);
        using HttpResponseMessage answer = await server.Client.SendAsync(head);
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), "balancers ask with HEAD");
    }

    [Test]
    public async Task A_server_is_ready_when_its_models_are_loaded_and_not_when_it_stops()
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo], Preload = true });
        while ((await server.GetAsync("/readyz")).Status != 200)
            await Task.Delay(5);
        using var request = new CancellationTokenSource();
        Task<HttpResponseMessage> stream = server.StreamAsync("""{"prompt": "def f(", "max_tokens": 200, "stream": true}""", request.Token);
        using HttpResponseMessage answer = await stream;
        Task stop = server.App.StopAsync();
        string text = await answer.Content.ReadAsStringAsync(request.Token);
        Assert.That(text, Does.EndWith("data: [DONE]\n\n"), "what runs is ended before the server stops");
        await stop;
    }

    [TestCase("POST", "/v1/chat/completions", 404, "There is no route POST /v1/chat/completions; the nearest is POST /v1/completions.")]
    [TestCase("GET", "/v1/completion", 404, "There is no route GET /v1/completion; the nearest is POST /v1/completions.")]
    [TestCase("GET", "/v1/completions", 405, "/v1/completions takes POST, not GET.")]
    [TestCase("DELETE", "/v1/models/demo-codegen", 405, "/v1/models/demo-codegen takes GET, not DELETE.")]
    public async Task A_route_that_there_is_not_names_the_nearest(string method, string path, int status, string message)
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo] });
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage answer = await server.Client.SendAsync(request);
        JsonElement error = JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.That(((int)answer.StatusCode, error.GetProperty("message").GetString()), Is.EqualTo((status, message)));
        Assert.That(answer.Content.Headers.Allow, status == 405 ? Has.Count.EqualTo(1) : Is.Empty);
    }

    [Test]
    public async Task Vectors_without_a_models_name_are_those_of_the_model_that_was_made_for_them()
    {
        string[] models = [.. new[] { "demo-fill-mask", "demo-embed" }.Select(name => Path.Combine(RepositoryRoot.Path, "models", name))];
        await using var server = await Running.StartAsync(new ServerOptions { Models = models });
        (_, string body) = await server.PostAsync("/v1/embeddings", """{"input": "x"}""");
        Assert.That(JsonElement.Parse(body).GetProperty("model").GetString(), Is.EqualTo("demo-embed"), "any encoder has some");
    }

    [Test]
    public async Task A_body_above_the_limit_is_refused()
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo], MaxBodyBytes = 1000 });
        (int status, string body) = await server.PostAsync("/v1/completions", $$"""{"prompt": "{{new string('x', 2000)}}"}""");
        Assert.That(status, Is.EqualTo(413));
        Assert.That(JsonElement.Parse(body).GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("invalid_request_error"));
        Assert.That((await server.PostAsync("/v1/completions", """{"prompt": "x", "max_tokens": 1}""")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_request_that_takes_longer_than_it_may_is_ended()
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo], RequestTimeout = TimeSpan.FromMilliseconds(1) });
        (int status, string body) = await server.PostAsync("/v1/completions", """{"prompt": "def f(", "max_tokens": 200, "ignore_eos": true}""");
        Assert.That(status, Is.EqualTo(408));
        Assert.That(JsonElement.Parse(body).GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("timeout_error"));
    }

    [Test]
    public async Task A_model_that_cannot_be_loaded_fails_its_own_requests_alone()
    {
        string broken = Directory.CreateTempSubdirectory("broken-model").FullName;
        foreach (string file in Directory.GetFiles(Demo))
            File.Copy(file, Path.Combine(broken, Path.GetFileName(file)));
        File.WriteAllBytes(Path.Combine(broken, "model.safetensors"), [1, 2, 3]);
        try
        {
            await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo, broken], Preload = true });
            while ((await server.GetAsync("/readyz")).Status != 200)
                await Task.Delay(5);
            (int status, string body) = await server.PostAsync(
                "/v1/completions", $$"""{"model": "{{Path.GetFileName(broken)}}", "prompt": "x", "max_tokens": 1}""");
            Assert.That(status, Is.EqualTo(500));
            Assert.That(body, Does.Contain("model.safetensors"));
            Assert.That((await server.PostAsync("/v1/completions", """{"prompt": "x", "max_tokens": 1}""")).Status, Is.EqualTo(200));
        }
        finally
        {
            Directory.Delete(broken, recursive: true);
        }
    }

    [Test]
    public async Task A_preloaded_model_that_does_not_fit_the_memory_is_named_at_the_start_without_a_trace()
    {
        using var log = new ErrorLog();
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo], Preload = true, MemoryBytes = 1000 }, log: log);
        while ((await server.GetAsync("/readyz")).Status != 200)
            await Task.Delay(5);
        Assert.That(log.Messages, Has.Count.EqualTo(1).And.All.Contains("demo-codegen").And.All.Contains("MemoryBytes"));
        Assert.That(log.Messages.Single(), Does.Contain("1000").And.Not.Contain("   at "));
    }

    [Test]
    public async Task What_was_measured_is_there_for_Prometheus()
    {
        // The meter is the process's: a model with a name of its own.
        string own = Directory.CreateTempSubdirectory("measured-").FullName;
        foreach (string file in Directory.GetFiles(Demo))
            File.Copy(file, Path.Combine(own, Path.GetFileName(file)));
        await using var server = await Running.StartAsync(new ServerOptions { Models = [own] });
        for (int i = 0; i < 2; i++)
            await server.PostAsync("/v1/completions", """{"prompt": "def f(", "max_tokens": 5, "ignore_eos": true, "temperature": 0}""");
        (int status, string body) = await server.GetAsync("/metrics");
        Assert.That(status, Is.EqualTo(200));
        string[] lines = body.Split('\n');
        string labels = "gen_ai_operation_name=\"text_completion\"," +
            $"gen_ai_provider_name=\"managed_transformers\",gen_ai_request_model=\"{Path.GetFileName(own)}\"";
        Assert.That(lines, Does.Contain($"gen_ai_server_time_to_first_token_seconds_count{{{labels}}} 2"));
        Assert.That(lines, Does.Contain($"gen_ai_server_time_to_first_token_seconds_bucket{{{labels},le=\"+Inf\"}} 2"));
        Assert.That(lines, Does.Contain($"managed_transformers_calls_active{{{labels}}} 0"));
        Assert.That(lines, Does.Contain("# TYPE gen_ai_server_request_duration_seconds histogram"));
        Assert.That(lines, Does.Contain("llamacpp:tokens_predicted_total 10"));
        double prompt = double.Parse(lines.Single(line => line.StartsWith("llamacpp:prompt_tokens_total", StringComparison.Ordinal)).Split(' ')[1]);
        Assert.That(prompt, Is.InRange(1, 9), "what came from the cache is not counted");
        double[] buckets = [.. lines.Where(line => line.StartsWith($"gen_ai_server_request_duration_seconds_bucket{{{labels},", StringComparison.Ordinal))
            .Select(line => double.Parse(line.Split(' ')[1]))];
        Assert.That(buckets, Is.Ordered, "buckets count all that is below their bound");
        Assert.That(buckets[^1], Is.EqualTo(2));
        Directory.Delete(own, recursive: true);
    }

    [Test]
    public async Task A_page_from_elsewhere_may_ask_where_its_origin_is_named()
    {
        await using var server = await Running.StartAsync(
            new ServerOptions { Models = [Demo], ApiKeys = ["secret"], CorsOrigins = ["http://localhost:3000"] });
        foreach ((string origin, string? allowed) in new[] { ("http://localhost:3000", "http://localhost:3000"), ("http://evil.example", null) })
        {
            using var preflight = new HttpRequestMessage(HttpMethod.Options, "/v1/completions");
            preflight.Headers.Add("Origin", origin);
            preflight.Headers.Add("Access-Control-Request-Method", "POST");
            preflight.Headers.Add("Access-Control-Request-Headers", "authorization,content-type");
            using HttpResponseMessage answer = await server.Client.SendAsync(preflight);
            Assert.That((int)answer.StatusCode, Is.EqualTo(204), "asked without a key: browsers send none");
            Assert.That(answer.Headers.TryGetValues("Access-Control-Allow-Origin", out IEnumerable<string>? all) ? all.Single() : null, Is.EqualTo(allowed));
        }
    }

    [TestCase(true, Description = "a stream has an event with the error at its end")]
    [TestCase(false, Description = "any other answer is cut off: half an object is no answer")]
    public async Task What_fails_after_an_answer_began_is_seen_by_the_client(bool isStream)
    {
        await using var server = await Running.StartAsync(new ServerOptions { Models = [Demo] }, app =>
        {
            var runner = app.Services.GetRequiredService<ApiRunner>();
            var route = new ApiRoute("GET", "/livez", OpenAIProtocol.Instance, async request =>
            {
                if (isStream)
                    await request.SendRawAsync("data: 1\n\n"u8.ToArray());
                else
                    await request.Http.Response.WriteAsync("{\"half\":");
                await request.Http.Response.Body.FlushAsync();
                throw new ModelInputException("too late");
            });
            app.MapGet("/fails", http => runner.RunAsync(http, route));
        });
        if (isStream)
            Assert.That((await server.GetAsync("/fails")).Body, Does.StartWith("data: 1\n\ndata: {\"error\":{\"message\":\"too late\""));
        else
            await Assert.ThrowsAsync<HttpRequestException>(async () => await server.GetAsync("/fails"));
    }

    /// <summary>A server of its own on a free port.</summary>
    private sealed class Running : IAsyncDisposable
    {
        public required WebApplication App { get; init; }
        public required HttpClient Client { get; init; }

        public static async Task<Running> StartAsync(ServerOptions options, Action<WebApplication>? more = null, ErrorLog? log = null)
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            if (log is not null)
                builder.Logging.AddProvider(log);
            builder.Services.AddManagedTransformersServer(options);
            WebApplication app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            if (options.CorsOrigins.Count > 0)
                app.UseCors();
            app.MapManagedTransformers();
            app.MapManagedTransformersFallback();
            more?.Invoke(app);
            await app.StartAsync();
            return new Running { App = app, Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) } };
        }

        public async Task<(int Status, string Body)> GetAsync(string path)
        {
            using HttpResponseMessage answer = await Client.GetAsync(new Uri(path, UriKind.Relative));
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }

        public async Task<(int Status, string Body)> PostAsync(string path, string body)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await Client.PostAsync(new Uri(path, UriKind.Relative), content);
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }

        public async Task<HttpResponseMessage> StreamAsync(string body, CancellationToken cancellationToken)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions");
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await App.DisposeAsync();
        }
    }
}
