using System.ComponentModel;
using System.Diagnostics;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>A server that needs a key, for real clients.</summary>
public abstract class ClientTests
{
    private protected const string Key = "secret", Prompt = "def add(a, b):\n";
    private WebApplication _app = null!;

    private protected string Address => _app.Urls.First();

    /// <summary>The server's models.</summary>
    private protected ModelHost Host => _app.Services.GetRequiredService<ModelHost>();

    private protected TextGenerator Generator { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        string[] demos = ["demo-codegen", "demo-embed", "demo-fill-mask", "demo-language-id", "demo-tag"];
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [.. demos.Select(ModelPath), DemoServer.Reranker], ApiKeys = [Key] });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        _app.MapManagedTransformersFallback();
        await _app.StartAsync();
        Generator = TextGenerator.Load(ModelPath("demo-codegen"));
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        Generator?.Dispose();
        await _app.DisposeAsync();
    }

    private protected static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    /// <summary>The best text, in-process.</summary>
    private protected string Best(string prompt, int tokens, params string[] stops) =>
        Generator.Generate(prompt, new GenerationOptions { MaxNewTokens = tokens, StopStrings = stops.Length == 0 ? null : stops });

    /// <summary>What the server's engine has generated since it began.</summary>
    private protected async Task<long> NewTokensAsync()
    {
        using ModelLease lease = await Host.AcquireAsync("demo-codegen");
        return lease.Generation!.State.Totals.NewTokens;
    }
}

/// <summary>A client for JavaScript: a script of the folder node runs before the tests, which look at what its calls gave.</summary>
public abstract class NodeClientTests(string script) : ClientTests
{
    private static readonly string s_folder = Path.Combine(RepositoryRoot.Path, "tests", "Server.Tests", "Clients", "node");
    private JsonElement _calls;

    [OneTimeSetUp]
    public async Task RunAsync()
    {
        if (!Directory.Exists(Path.Combine(s_folder, "node_modules")))
            Assert.Ignore("The clients for JavaScript are not installed: run `npm ci` in tests/Server.Tests/Clients/node, with Node.js 20 or newer.");
        var start = new ProcessStartInfo("node", [Path.Combine(s_folder, script), Address, Key])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        using Process node = Start(start);
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        using CancellationTokenRegistration kill = late.Token.Register(() => node.Kill(entireProcessTree: true));
        Task<string> errors = node.StandardError.ReadToEndAsync();
        string output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        Assert.That(node.ExitCode, Is.Zero, $"{script}: {await errors}");
        _calls = JsonElement.Parse(output.TrimEnd().Split('\n')[^1]);
    }

    /// <summary>What a call gave.</summary>
    private protected JsonElement Answer(string call) => _calls.GetProperty(call) is var given && given.TryGetProperty("answer", out JsonElement answer)
        ? answer : throw new AssertionException($"{call}: {given.GetRawText()}");

    /// <summary>What a call threw.</summary>
    private protected (string Name, int Status, string Message) Error(string call) =>
        _calls.GetProperty(call) is var given && given.TryGetProperty("error", out JsonElement error) && error.TryGetProperty("status", out JsonElement status)
        ? (error.GetProperty("name").GetString()!, status.GetInt32(), error.GetProperty("message").GetString()!)
        : throw new AssertionException($"{call}: {given.GetRawText()}");

    /// <summary>The text of the first choice.</summary>
    private protected static string Text(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("text").GetString()!;

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Ignore("node was not found: install Node.js 20 or newer, and run `npm ci` in tests/Server.Tests/Clients/node.");
            throw;
        }
    }
}
