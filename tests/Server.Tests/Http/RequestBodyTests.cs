using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Server.Tests;

/// <summary>Bodies that do not come to their end, and the mark that some editors put before one.</summary>
public sealed class RequestBodyTests
{
    private const string Half = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"prompt\":";

    [Test]
    public async Task A_byte_order_mark_before_the_object_is_no_part_of_it()
    {
        JsonElement answer = await DemoServer.PostAsync("/v1/completions", "\uFEFF" + """{"model":"demo-codegen","prompt":"def","max_tokens":1}""");
        Assert.That(answer.GetProperty("object").GetString(), Is.EqualTo("text_completion"));
    }

    [Test]
    public async Task A_body_that_comes_too_slowly_is_answered_and_logs_no_error()
    {
        using var log = new ErrorLog();
        await using WebApplication app = await StartAsync(log, TimeSpan.FromMilliseconds(50));
        using TcpClient client = await SendHalfAsync(app);
        using var answer = new StreamReader(client.GetStream());
        Assert.That(await answer.ReadLineAsync(), Is.EqualTo("HTTP/1.1 408 Request Timeout"));
        client.Close();
        await app.StopAsync();
        Assert.That(log.Messages, Is.Empty);
    }

    [Test]
    public Task A_connection_that_is_reset_in_the_middle_of_a_body_logs_no_error() => LogsNothingAsync(client =>
    {
        client.Client.LingerState = new LingerOption(enable: true, seconds: 0);
        return Task.CompletedTask;
    });

    [Test]
    public Task A_connection_that_is_closed_in_the_middle_of_a_body_logs_nothing() => LogsNothingAsync(async client =>
    {
        NetworkStream stream = client.GetStream();
        client.Client.Shutdown(SocketShutdown.Send);
        try
        {
            _ = await stream.ReadAsync(new byte[1]);
        }
        catch (IOException)
        {
            // The server has closed it as well.
        }
    });

    private static async Task LogsNothingAsync(Func<TcpClient, Task> end)
    {
        using var log = new ErrorLog();
        await using WebApplication app = await StartAsync(log, timeout: null);
        for (int i = 0; i < 20; i++)
        {
            using TcpClient client = await SendHalfAsync(app);
            await Task.Delay(5);
            await end(client);
        }
        await app.StopAsync();
        Assert.That(log.Messages, Is.Empty);
    }

    private static async Task<WebApplication> StartAsync(ErrorLog log, TimeSpan? timeout)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [DemoServer.ModelPath("demo-codegen")], RequestTimeout = timeout });
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        await app.StartAsync();
        return app;
    }

    private static async Task<TcpClient> SendHalfAsync(WebApplication app)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPEndPoint.Parse(new Uri(app.Urls.First()).Authority));
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Half));
        return client;
    }
}
