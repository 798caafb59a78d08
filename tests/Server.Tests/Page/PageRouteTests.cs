using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server.Tests;

/// <summary>How the page is sent. What it does is tried in a browser: tests/ServerPage.Tests.</summary>
public sealed partial class PageRouteTests
{
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [DemoServer.ModelPath("demo-codegen")], ApiKeys = ["secret"] });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        _app.MapManagedTransformersPage();
        _app.MapGroup("/models-here").MapManagedTransformersPage();
        await _app.StartAsync();
        _client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(_app.Urls.First()) };
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Test]
    public async Task The_page_comes_without_a_key()
    {
        using HttpResponseMessage page = await GetAsync("/");
        Assert.That(page.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(page.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/html; charset=utf-8"));
        Assert.That(Header(page, "Content-Security-Policy"),
            Is.EqualTo("default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"));
        Assert.That(Header(page, "X-Content-Type-Options"), Is.EqualTo("nosniff"));
        Assert.That(await page.Content.ReadAsStringAsync(), Does.StartWith("<!doctype html>"));
        using HttpResponseMessage status = await GetAsync("/status");
        Assert.That(status.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized), "what it asks for needs the key");
    }

    [Test]
    public async Task The_page_is_made_of_files_of_the_server_alone()
    {
        var files = new HashSet<string>(["index.html"]);
        foreach (string name in PageRoutes.Names)
        {
            using HttpResponseMessage answer = await GetAsync($"/page/{name}");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), name);
            Assert.That(Header(answer, "X-Content-Type-Options"), Is.EqualTo("nosniff"));
            string text = await answer.Content.ReadAsStringAsync();
            files.UnionWith(FileNames().Matches(text).Select(match => match.Groups["name"].Value));
            if (!name.EndsWith(".svg", StringComparison.Ordinal))                       // its namespace is an address
                Assert.That(text, Does.Not.Contain("//www.").And.Not.Contain("http").And.Not.Contain("innerHTML").And.Not.Contain("<style"), name);
        }
        Assert.That(files, Is.EquivalentTo(PageRoutes.Names), "each file is named by another one");
    }

    [Test]
    public async Task A_file_that_did_not_change_is_not_sent_again()
    {
        using HttpResponseMessage first = await GetAsync("/page/page.css");
        using var again = new HttpRequestMessage(HttpMethod.Get, "/page/page.css");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using HttpResponseMessage second = await _client.SendAsync(again);
        Assert.That((second.StatusCode, (await second.Content.ReadAsByteArrayAsync()).Length), Is.EqualTo((HttpStatusCode.NotModified, 0)));
    }

    [Test]
    public async Task A_file_that_there_is_not_is_a_404_that_names_those_that_there_are()
    {
        using HttpResponseMessage answer = await GetAsync("/page/PageRoutes.cs");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("The page has no such file; it has api.js, "));
    }

    [Test]
    public async Task In_a_group_the_page_is_at_the_address_from_which_it_finds_its_files()
    {
        using HttpResponseMessage bare = await GetAsync("/models-here"), page = await GetAsync("/models-here/");
        using HttpResponseMessage file = await GetAsync("/models-here/page/page.js");
        Assert.That((bare.StatusCode, bare.Headers.Location), Is.EqualTo((HttpStatusCode.Redirect, new Uri("models-here/", UriKind.Relative))));
        Assert.That((page.StatusCode, file.StatusCode), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.OK)));
    }

    private Task<HttpResponseMessage> GetAsync(string path) => _client.GetAsync(new Uri(path, UriKind.Relative));

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();

    // page/page.css in the page, "./api.js" in a module.
    [GeneratedRegex("""("\./|"page/)(?<name>[a-z]+\.[a-z]+)""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FileNames();
}
