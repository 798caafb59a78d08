using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>A gateway that has no model answers as the plain server does.</summary>
public sealed class GatewayTests
{
    // What differs from call to call; and how many may wait, which is a sum over silos.
    private static readonly string[] s_own = ["id", "created", "timings", "tokens_cached", "seed", "max_concurrent_requests"];

    private WebApplication _plain = null!, _gateway = null!;
    private HttpClient _asked = null!, _fleet = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        (_plain, _asked) = await StartAsync(builder => { }, Fleet.Options.Host.Models);
        (_gateway, _fleet) = await StartAsync(builder =>
        {
            builder.Services.AddSingleton(SharedFleet.Fleet.Cluster.Client);
            builder.UseManagedTransformersCluster();
        }, []);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _asked.Dispose();
        _fleet.Dispose();
        await _gateway.DisposeAsync();
        await _plain.DisposeAsync();
    }

    [TestCase("/v1/completions", """{"prompt": "def add(a, b):\n", "max_tokens": 12, "seed": 3, "n": 2, "logprobs": 2, "frequency_penalty": 0.5}""")]
    [TestCase("/v1/completions", """{"prompt": ["a =", "for i in"], "max_tokens": 8, "temperature": 0, "stop_token_ids": [5], "stream": true}""")]
    [TestCase("/v1/completions", """{"model": "demo-codegen", "prompt": "def f(", "suffix": "return x", "max_tokens": 8, "temperature": 0}""")]
    [TestCase("/completion", """{"prompt": "def f(x):\n", "n_predict": 20, "seed": 7, "repeat_penalty": 1.1, "n_indent": 2, "logit_bias": [[5, -1.5]]}""")]
    [TestCase("/completion", """{"prompt": ["x", "class A:\n"], "n_predict": 6, "temperature": 0, "stream": true, "t_max_predict_ms": 60000}""")]
    [TestCase("/infill", """{"input_prefix": "def f(x):\n    return ", "input_suffix": "\n", "n_predict": 8, "samplers": ["top_k", "infill"], "seed": 1}""")]
    [TestCase("/tokenize", """{"content": "def f():", "with_pieces": true}""")]
    [TestCase("/detokenize", """{"tokens": [313, 5282, 323]}""")]
    [TestCase("/models/demo-codegen", """{"inputs": "import os\n", "parameters": {"max_new_tokens": 6, "details": true}}""")]
    [TestCase("/v1/embeddings", """{"model": "demo-embed", "input": ["def f(): pass", "x"]}""")]
    [TestCase("/embed", """{"inputs": ["def f(): pass", "x"], "model": "demo-embed"}""")]
    [TestCase("/embed_all", """{"inputs": ["def f(): pass"], "model": "demo-embed"}""")]
    [TestCase("/rerank", """{"query": "add", "texts": ["def add(a, b): return a + b", "x", "class A: pass"]}""")]
    [TestCase("/predict", """{"inputs": ["x := 1", "def f(): pass"]}""")]
    [TestCase("/models/demo-fill-mask", """{"inputs": "return <mask>;"}""")]
    [TestCase("/models/demo-tag", """{"inputs": "mail joe@example.org"}""")]
    [TestCase("/v1/completions", """{"model": "no-such-model", "prompt": "x"}""")]
    [TestCase("/v1/completions", """{"prompt": "x", "max_tokens": 100000}""")]
    [TestCase("/embed", """{"inputs": "", "model": "demo-embed"}""")]
    public async Task An_answer_is_that_of_the_plain_server(string route, string body)
    {
        (int status, string expected) = await AskAsync(_asked, route, body);
        (int given, string answer) = await AskAsync(_fleet, route, body);
        Assert.That((given, answer.Replace(" in the cluster", "", StringComparison.Ordinal)), Is.EqualTo((status, expected)));
    }

    [TestCase("/v1/models")]
    [TestCase("/info")]
    public async Task What_it_says_of_models_is_what_the_plain_server_says(string route)
    {
        string expected = await _asked.GetStringAsync(new Uri(route, UriKind.Relative));
        Assert.That(Same(await _fleet.GetStringAsync(new Uri(route, UriKind.Relative))), Is.EqualTo(Same(expected)));
    }

    [Test]
    public async Task Slots_status_and_metrics_are_those_of_the_fleet()
    {
        JsonElement status = await JsonOfAsync("/status");
        Assert.That(status.GetProperty("silos").EnumerateArray().Select(silo => silo.GetProperty("name").GetString()),
            Is.EquivalentTo(SharedFleet.Fleet.Cluster.Silos.Select(silo => silo.Name)));
        JsonElement decoder = status.GetProperty("silos")[0].GetProperty("models").EnumerateArray()
            .First(model => model.GetProperty("id").GetString() == Fleet.Model);
        Assert.That((decoder.GetProperty("loaded").GetBoolean(), decoder.GetProperty("max_rows").GetInt32(), decoder.GetProperty("problem").ValueKind),
            Is.EqualTo((true, 8, JsonValueKind.Null)));
        JsonElement[] slots = [.. (await JsonOfAsync("/slots")).EnumerateArray()];
        Assert.That(slots.Select(slot => slot.GetProperty("id").GetInt32()), Is.EqualTo(Enumerable.Range(0, 24)));
        Assert.That(slots.Select(slot => slot.GetProperty("silo").GetString()).Distinct().Count(), Is.EqualTo(3));
        string metrics = await _fleet.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.That(metrics, Does.Contain("managed_transformers_fleet_silos 3\n")
            .And.Contain($"managed_transformers_fleet_loaded{{model=\"demo-codegen\",silo=\"{SharedFleet.Fleet.Cluster.Silos[0].Name}\"}} 1\n"));
    }

    /// <summary>Starts a server of these models, and what else is said.</summary>
    internal static async Task<(WebApplication App, HttpClient Client)> StartAsync(Action<WebApplicationBuilder> also, IReadOnlyList<string> models)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        // The fleet's are in the order of their names.
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [.. models.OrderBy(Path.GetFileName, StringComparer.Ordinal)] });
        also(builder);
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        await app.StartAsync();
        var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()), Timeout = Timeout.InfiniteTimeSpan };
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!(await client.GetAsync(new Uri("/readyz", UriKind.Relative), guard.Token)).IsSuccessStatusCode)
            await Task.Delay(10, guard.Token);
        return (app, client);
    }

    private static async Task<(int Status, string Body)> AskAsync(HttpClient client, string route, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.PostAsync(new Uri(route, UriKind.Relative), content);
        string text = await answer.Content.ReadAsStringAsync();
        string[] events = text.StartsWith("data: ", StringComparison.Ordinal) ? text.Split("data: ", StringSplitOptions.RemoveEmptyEntries) : [text];
        return ((int)answer.StatusCode, string.Join('\n', events.Select(Same)));
    }

    private async Task<JsonElement> JsonOfAsync(string route) => JsonElement.Parse(await _fleet.GetStringAsync(new Uri(route, UriKind.Relative)));

    private static string Same(string text)
    {
        text = text.Trim();
        if (text is "[DONE]" or "")
            return text;
        JsonNode json = JsonNode.Parse(text)!;
        Remove(json);
        return json.ToJsonString();
    }

    private static void Remove(JsonNode? json)
    {
        if (json is JsonObject fields)
        {
            foreach (string name in s_own.Where(name => name != "id" || fields["object"]?.ToString() != "model"))
                fields.Remove(name);
        }
        IEnumerable<JsonNode?> inner = json switch { JsonObject all => all.Select(one => one.Value), JsonArray all => all, _ => [] };
        foreach (JsonNode? one in inner.ToArray())
            Remove(one);
    }
}
