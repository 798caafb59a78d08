using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx serve --cluster: processes that serve the models of each other, and what is refused.</summary>
[TestFixture]
internal sealed class ServeClusterTests
{
    [Test]
    public async Task Each_of_three_serves_what_the_others_have()
    {
        string where = $"localhost:{Ports.Free()}";
        using var cancellation = new CancellationTokenSource();
        var servers = new List<(Task<MtxRun> Run, HttpClient Client)>();
        foreach (string[] own in (string[][])[["--model", "demo-codegen"], ["--model", "demo-embed"], ["--gateway-only"]])
        {
            int port = Ports.Free();
            string[] args = ["serve", "--cluster", where, "--port", $"{port}", "--json", .. own];
            Task<MtxRun> run = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, args);
            servers.Add((run, new HttpClient { BaseAddress = new Uri($"http://localhost:{port}/") }));
            await UntilAsync(servers[^1], "readyz", _ => true);
        }
        foreach ((Task<MtxRun> Run, HttpClient Client) server in servers)
        {
            await UntilAsync(server, "status", status => status.GetProperty("silos").GetArrayLength() == 2);
            JsonElement text = await PostAsync(server.Client, "v1/completions", """{"prompt": "def add(a, b):\n", "max_tokens": 5, "temperature": 0}""");
            Assert.That(text.GetProperty("choices")[0].GetProperty("text").GetString(), Does.StartWith("    \"\"\"Add"));
            JsonElement vector = await PostAsync(server.Client, "v1/embeddings", """{"model": "demo-embed", "input": "x"}""");
            Assert.That(vector.GetProperty("data")[0].GetProperty("embedding").GetArrayLength(), Is.GreaterThan(0));
        }
        await cancellation.CancelAsync();
        foreach ((Task<MtxRun> run, HttpClient client) in servers)
        {
            MtxRun ended = await run;
            Assert.That(ended.ExitCode, Is.Zero, ended.Error);
            client.Dispose();
        }
    }

    [TestCase("--cluster is nowhere; localhost[:PORT] or redis://", "--cluster", "nowhere")]
    [TestCase("a port of 1 … 65534 is needed after localhost", "--cluster", "localhost:0")]
    [TestCase("--cluster is http://a:1; localhost[:PORT] or redis://", "--cluster", "http://a:1")]
    [TestCase("the service's name has no slash", "--cluster", "redis://a:1/b/c")]
    [TestCase("--silo-port needs --cluster", "--silo-port", "5000")]
    [TestCase("--dashboard needs --cluster", "--dashboard")]
    [TestCase("--model is for silos", "--cluster", "localhost", "--gateway-only", "--model", "demo-embed")]
    [TestCase("--silo-address is here", "--cluster", "redis://a:1", "--silo-address", "here")]
    [TestCase("--silo-address is 192.0.2.1; an IP address of this machine is needed", "--cluster", "redis://a:1", "--silo-address", "192.0.2.1")]
    [TestCase("--silo-address is 0.0.0.0; an IP address of this machine is needed", "--cluster", "redis://a:1", "--silo-address", "0.0.0.0")]
    [TestCase("silos of --cluster localhost are at 127.0.0.1", "--cluster", "localhost", "--silo-address", "127.0.0.1")]
    public void What_makes_no_sense_is_said(string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(["serve", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
    }

    [Test]
    public void A_redis_that_does_not_answer_and_a_port_in_use_are_named()
    {
        int port = Ports.Free();
        MtxRun run = MtxRun.Of("serve", "--cluster", $"redis://127.0.0.1:{port}/fleet", "--model", "demo-embed");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.StartWith($"mtx: The Redis at 127.0.0.1:{port} cannot be reached: ").And.Not.Contain("   at "));
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int used = ((IPEndPoint)taken.LocalEndpoint).Port;
        run = MtxRun.Of("serve", "--cluster", $"localhost:{port}", "--silo-port", $"{used}", "--model", "demo-embed");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.StartWith($"mtx: 127.0.0.1:{used} is in use").And.Contain("--silo-port"));
    }

    [Test]
    public void A_server_whose_port_is_taken_does_not_join_first()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int used = ((IPEndPoint)taken.LocalEndpoint).Port;
        MtxRun run = MtxRun.Of("serve", "--cluster", $"localhost:{Ports.Free()}", "--port", $"{used}", "--model", "demo-embed");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error.TrimEnd(), Is.EqualTo(
            $"mtx: http://localhost:{used} cannot be listened at: the port is in use. Choose another one with --port."));
    }

    [TestCase("--port and --silo-port are both 5000", "--port", "5000", "--silo-port", "5000")]
    [TestCase("--port and --dashboard are both 5000", "--port", "5000", "--dashboard", "5000")]
    [TestCase("--silo-port and --dashboard are both 5000", "--port", "5001", "--silo-port", "5000", "--dashboard", "5000")]
    public void Two_ports_that_are_one_are_refused(string message, params string[] args)
    {
        MtxRun run = MtxRun.Of(["serve", "--cluster", $"localhost:{Ports.Free()}", "--model", "demo-embed", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain(message));
    }

    [TestCase("redis://me:p%40ss@10.0.0.5:7000/code", "10.0.0.5", 7000, "code", "me", "p@ss")]
    [TestCase("redis://cache", "cache", 6379, "managed-transformers", "", "")]
    [TestCase("redis://[::1]:7000/", "::1", 7000, "managed-transformers", "", "")]
    public void A_redis_is_read_as_its_address_says(string where, string host, int port, string service, string user, string password) =>
        Assert.That(ClusterAddress.Parse(where), Is.EqualTo(new ClusterAddress(true, host, port, service, user, password)));

    private static async Task UntilAsync((Task<MtxRun> Run, HttpClient Client) server, string path, Func<JsonElement, bool> holds)
    {
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (waited.Elapsed < TimeSpan.FromMinutes(1))
        {
            Assert.That(server.Run.IsCompleted, Is.False, server.Run.IsCompleted ? server.Run.Result.Error : "");
            try
            {
                if (holds(JsonElement.Parse(await server.Client.GetStringAsync(path))))
                    return;
            }
            catch (HttpRequestException)            // it does not listen yet, or is not ready
            {
            }
            await Task.Delay(20);
        }
        Assert.Fail($"{path} did not say it within a minute.");
    }

    private static async Task<JsonElement> PostAsync(HttpClient client, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.PostAsync(path, content);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        return JsonElement.Parse(text);
    }
}
