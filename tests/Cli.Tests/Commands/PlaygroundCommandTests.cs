using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx playground without a browser: what it serves, and what it refuses. tests/Playground.Tests looks at the page in a browser.</summary>
[TestFixture]
internal sealed class PlaygroundCommandTests
{
    private string _folder = "";

    [SetUp]
    public void MakeAPage()
    {
        _folder = Path.Combine(Folders.Scratch(), "wwwroot");
        Directory.CreateDirectory(Path.Combine(_folder, "_framework"));
        File.WriteAllText(Path.Combine(_folder, "index.html"), "<!DOCTYPE html>");
        File.WriteAllText(Path.Combine(_folder, "_framework", "dotnet.js"), "export {};");
        File.WriteAllText(Path.Combine(_folder, "_framework", "dotnet.js.br"), "small");
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(_folder)!, "secret.txt"), "secret");
    }

    [Test]
    public async Task The_folder_is_served_until_it_is_cancelled()
    {
        int port = Ports.Free();
        using var cancellation = new CancellationTokenSource();
        string[] args = ["playground", "--folder", _folder, "--port", $"{port}", "--json"];
        Task<MtxRun> run = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, args);
        using var client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}/") };
        string page = await WhenItAnswers(client);
        Assert.That(page, Is.EqualTo("<!DOCTYPE html>"));
        cancellation.Cancel();
        MtxRun ended = await run;
        Assert.That(ended.ExitCode, Is.Zero);
        using JsonDocument only = JsonDocument.Parse(ended.Out);
        Assert.That(only.RootElement.GetProperty("address").GetString(), Is.EqualTo($"http://localhost:{port}/"));
    }

    private static async Task<string> WhenItAnswers(HttpClient client)
    {
        while (true)
        {
            try
            {
                return await client.GetStringAsync("");
            }
            catch (HttpRequestException)
            {
                await Task.Delay(20);
            }
        }
    }

    [Test]
    public async Task Files_come_with_their_types_and_compressed_where_the_browser_takes_it()
    {
        using var server = new StaticFileServer(_folder, Ports.Free());
        using var end = new CancellationTokenSource();
        Task serving = server.RunAsync(end.Token);
        using var client = new HttpClient { BaseAddress = new Uri(server.Address) };

        using HttpResponseMessage plain = await client.GetAsync("_framework/dotnet.js");
        Assert.That((plain.Content.Headers.ContentType!.MediaType, await plain.Content.ReadAsStringAsync()), Is.EqualTo(("text/javascript", "export {};")));
        client.DefaultRequestHeaders.AcceptEncoding.Add(new StringWithQualityHeaderValue("br"));
        using HttpResponseMessage compressed = await client.GetAsync("_framework/dotnet.js");
        Assert.That((compressed.Content.Headers.ContentEncoding.Single(), await compressed.Content.ReadAsStringAsync()), Is.EqualTo(("br", "small")));
        File.SetLastWriteTimeUtc(Path.Combine(_folder, "_framework", "dotnet.js.br"), DateTime.UtcNow.AddHours(-1));
        Assert.That(await client.GetStringAsync("_framework/dotnet.js"), Is.EqualTo("export {};"), "the compressed one is older");
        foreach (string path in new[] { "missing.js", "index.html%00", "_framework", "..%2Fsecret.txt", "_framework/..%2F..%2Fsecret.txt" })
        {
            using HttpResponseMessage none = await client.GetAsync(path);
            Assert.That(none.StatusCode, Is.EqualTo(HttpStatusCode.NotFound), path);
        }
        using HttpResponseMessage posted = await client.PostAsync("index.html", content: null);
        Assert.That(posted.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
        end.Cancel();
        await serving;
    }

    [Test]
    public void A_port_that_is_in_use_is_named()
    {
        using var taken = new StaticFileServer(_folder, Ports.Free());
        int port = new Uri(taken.Address).Port;
        MtxRun run = MtxRun.Of("playground", "--folder", _folder, "--port", $"{port}");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain($"Port {port} cannot be listened at").And.Contain("--port N"));
    }

    [TestCase(3, "is no published playground", "--folder", "/no/such/folder")]
    [TestCase(2, "at most 65535", "--port", "70000")]
    [TestCase(2, "at least 1", "--port", "0")]
    public void What_cannot_be_served_is_said(int code, string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(["playground", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((code, "")));
        Assert.That(run.Error, Does.Contain(message));
    }
}
