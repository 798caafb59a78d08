using System.Globalization;
using System.Net;
using System.Text;
using ManagedTransformers.Orleans;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Hosting;

namespace ManagedTransformers.ServerPage.Tests;

/// <summary>The page of a server in front of a cluster: a card for each silo, as long as it is there.</summary>
public sealed class FleetTests
{
    private const long MemoryBytes = 400_000_000;

    // Looks after every drawing whether the silo that stays has its card.
    private const string WatchNorth = """
        window.northWasGone = false;
        new MutationObserver(() => window.northWasGone ||= ![...document.querySelectorAll("[data-silo] h2")].some(one => one.textContent === "north"))
          .observe(document.getElementById("models"), { childList: true });
        """;

    private WebApplication _north = null!, _south = null!;
    private HttpClient _client = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        int port = Ports.Free();
        _north = await StartAsync("north", port, port, ["demo-codegen"], preload: ["demo-codegen"]);
        _south = await StartAsync("south", Ports.Free(), port, ["demo-codegen", "demo-embed"], preload: []);
        _client = new HttpClient { BaseAddress = new Uri(_north.Urls.First()) };
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _south.DisposeAsync();
        await _north.DisposeAsync();
    }

    [Test]
    public async Task Each_silo_has_a_card_with_its_models_and_queues_until_it_stops()
    {
        await using OpenPage page = await OpenPage.OfAsync(_north.Urls.First() + "/");
        await page.Find("#tab-server").ClickAsync();
        await page.Find("[data-silo] >> nth=1").WaitForAsync();
        Assert.That(await page.TextsAsync("[data-silo] h2"), Is.EqualTo(new[] { "north", "south" }));
        await page.Find(Fact("north", "demo-codegen", "memory", "MiB")).WaitForAsync();
        await page.Find(Fact("south", "demo-codegen", "memory", "not loaded")).WaitForAsync();
        await page.Find(Fact("south", "demo-embed", "memory", "not loaded")).WaitForAsync();
        await page.Find("[data-model=demo-codegen] .stage.loaded").WaitForAsync();
        Assert.That(await page.TextsAsync("#memory"), Has.All.Not.Contains(" of "), "the limit of one silo is none of the fleet");

        await PostAsync("v1/embeddings", """{"model": "demo-embed", "input": "def f(): pass"}""");
        await page.Find(Fact("south", "demo-embed", "memory", "KiB")).Or(page.Find(Fact("south", "demo-embed", "memory", "MiB"))).WaitForAsync();
        using (var end = new CancellationTokenSource())
        {
            Task running = RunTextsAsync(end.Token);
            await page.Find(Fact("north", "demo-codegen", "running", "1 of 32")).WaitForAsync();
            await end.CancelAsync();
            await running;
        }
        await page.Find(Fact("north", "demo-codegen", "running", "0 of 32")).WaitForAsync();
        Assert.That(await SizeAsync(page, "[data-silo] h3"), Is.LessThan(await SizeAsync(page, "[data-silo] h2")), "a model is a part of its silo");

        await page.Tab.EvaluateAsync(WatchNorth);
        await _south.StopAsync();
        await page.Find("[data-silo] >> nth=1").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        Assert.That(await page.TextsAsync("[data-silo] h2"), Is.EqualTo(new[] { "north" }));
        Assert.That(await page.Tab.EvaluateAsync<bool>("window.northWasGone"), Is.False, "a directory that begins anew on another silo hides nobody");
        Assert.That(await page.TextsAsync("[data-model=demo-embed] .error"), Is.EqualTo(new[] { "No silo with it is left." }));
        Assert.That(page.Complaints, Is.Empty);
    }

    // What a silo's card says of a model.
    private static string Fact(string silo, string model, string name, string value) =>
        $"[data-silo]:has(h2:text-is('{silo}')) h3:text-is('{model}') + .facts div:has(dt:text-is('{name}')) dd:has-text('{value}')";

    private static async Task<double> SizeAsync(OpenPage page, string selector) =>
        double.Parse((await page.StyleAsync(selector, "font-size")).Replace("px", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);

    private async Task RunTextsAsync(CancellationToken end)
    {
        try
        {
            while (true)
                await PostAsync("completion", """{"prompt": "import os\n", "n_predict": 480, "temperature": 1, "ignore_eos": true}""", end);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task PostAsync(string route, string body, CancellationToken cancellationToken = default)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _client.PostAsync(new Uri(route, UriKind.Relative), content, cancellationToken);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync(cancellationToken));
    }

    private static async Task<WebApplication> StartAsync(string name, int port, int first, string[] models, string[] preload)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddManagedTransformersServer(new ServerOptions { MemoryBytes = MemoryBytes });
        builder.UseOrleans(silo => silo
            .UseLocalhostClustering(port, Ports.Free(), new IPEndPoint(IPAddress.Loopback, first))
            .Configure<SiloOptions>(options => options.SiloName = name)
            .AddManagedTransformers(new ModelSiloOptions
            {
                Host = new ModelHostOptions { Models = [.. models.Select(PageServer.ModelPath)], MemoryBytes = MemoryBytes }, Preload = preload,
            }));
        builder.UseManagedTransformersCluster();
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        app.MapManagedTransformersPage();
        await app.StartAsync();
        return app;
    }
}
