using System.Net;
using ManagedTransformers.Bench;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server.Tests;

/// <summary>The short form of <c>bench -- server-load</c>: many clients at once, right and wrong.</summary>
public sealed class ServerLoadTests
{
    private const int Requests = 2000, Cases = 130;
    private LoadModels _models = null!;
    private WebApplication _app = null!;

    private IPEndPoint Server => IPEndPoint.Parse(new Uri(_app.Urls.First()).Authority);

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _models = new LoadModels(Path.Combine(RepositoryRoot.Path, "models"));
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddManagedTransformersServer(new ServerOptions
        {
            Models = _models.Directories, Generation = new GenerationEngineOptions { CacheBytes = 16 << 20, MaxQueue = 16 },
        });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        _app.MapManagedTransformersFallback();
        await _app.StartAsync();
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _app.DisposeAsync();
        _models.Dispose();
    }

    [Test]
    public async Task Accepted_answers_are_right_the_others_refused_and_nothing_is_left_running([Values(1)] int seed)
    {
        LoadCase[] cases = LoadCases.Make(_models, seed, Cases);
        ServerLoadResult result = await ServerLoad.RunAsync(new ServerLoadSettings { Server = Server, Requests = Requests, Seed = seed }, cases);
        Assert.That(result.Failures, Is.Empty);
        Assert.That(result.Requests, Is.EqualTo(Requests));
        Assert.That(result.Counts["right: right"], Is.GreaterThan(Requests / 3), "most are not refused because the queue is full");
    }

    [TestCase("zz\r\n{}\r\n")]
    [TestCase("fffffffffffffffff\r\n{}", Description = "more than a long")]
    public async Task Chunks_that_are_none_are_a_wrong_request(string chunk)
    {
        using RawConnection connection = await RawConnection.OpenAsync(Server, CancellationToken.None);
        await connection.SendAsync(LoadClient.Bytes("/completion", null, "Transfer-Encoding: chunked\r\n"), CancellationToken.None);
        await connection.SendAsync(Encoding.ASCII.GetBytes(chunk), CancellationToken.None);
        RawAnswer? answer = await connection.ReadAsync(CancellationToken.None);
        Assert.That(answer!.Status, Is.EqualTo(400));
        Assert.That(LoadErrors.WrongForm("/completion", answer), Is.Null, answer.Body);
    }
}
