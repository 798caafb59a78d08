using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.ServerPage.Tests;

/// <summary>A server of the demo models with its page, which all tests share, and another one that needs a key.</summary>
[SetUpFixture]
public sealed class PageServer
{
    public const string Key = "secret";
    private static readonly List<WebApplication> s_apps = [];

    public static string Open { get; private set; } = "";

    public static string Locked { get; private set; } = "";

    public static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        string[] models = [.. new[] { "demo-codegen", "demo-fill-mask", "demo-language-id", "demo-tag", "demo-embed" }.Select(ModelPath)];
        Open = await StartAsync(new ServerOptions { Models = models, MaxInputs = 8 });
        Locked = await StartAsync(new ServerOptions { Models = [ModelPath("demo-embed")], ApiKeys = [Key] });
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await new Chromium().CloseAsync();
        foreach (WebApplication app in s_apps)
            await app.DisposeAsync();
    }

    private static async Task<string> StartAsync(ServerOptions options)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddManagedTransformersServer(options);
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        app.MapManagedTransformersPage();
        await app.StartAsync();
        s_apps.Add(app);
        return app.Urls.First() + "/";
    }
}

/// <summary>What is done with panels.</summary>
internal static class Panels
{
    /// <summary>Shows a panel, and puts a text into it.</summary>
    public static async Task WriteAsync(this OpenPage page, string panel, string text)
    {
        await page.Find($"#tab-{panel}").ClickAsync();
        await page.Find($"#{panel}-text").FillAsync(text);
    }

    /// <summary>Asks with the keyboard, and waits for the end of the answer.</summary>
    public static async Task AskAsync(this OpenPage page, string panel)
    {
        await page.Find($"#{panel}-text").PressAsync("Control+Enter");
        await page.Find($"#{panel}[aria-busy=false]").WaitForAsync();
    }

    /// <summary>The texts of bars with their shares, as they are drawn.</summary>
    public static async Task<(string Name, double Share)[]> BarsAsync(this OpenPage page, string within)
    {
        string[] names = await page.TextsAsync($"{within} .bars .name");
        double[] shares = await page.Find($"{within} .bars .track i")
            .EvaluateAllAsync<double[]>("all => all.map(one => +one.style.getPropertyValue('--share'))");
        return [.. names.Zip(shares)];
    }
}
