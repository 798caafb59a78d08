using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ManagedTransformers.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx serve: what it serves, how it ends, and what it refuses. tests/Server.Tests tries the routes.</summary>
[TestFixture]
internal sealed class ServeCommandTests
{
    [Test]
    public async Task The_demo_models_are_served_until_it_is_cancelled_and_what_runs_is_ended()
    {
        int port = Ports.Free();
        using var cancellation = new CancellationTokenSource();
        string[] args = ["serve", "--port", $"{port}", "--api-key", "secret", "--json"];
        Task<MtxRun> run = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, args);
        using var client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}/") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "secret");
        Assert.That(await WhenItAnswers(client, "health"), Is.EqualTo("""{"status":"ok"}"""));
        JsonElement models = JsonElement.Parse(await client.GetStringAsync("v1/models"));
        Assert.That(models.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()), Is.EqualTo(ModelLocator.Demos));

        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions");
        request.Content = new StringContent(
            """{"prompt": "def f(", "max_tokens": 300, "ignore_eos": true, "stream": true}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage stream = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        cancellation.Cancel();
        Assert.That(await stream.Content.ReadAsStringAsync(), Does.EndWith("data: [DONE]\n\n"));
        MtxRun ended = await run;
        Assert.That((ended.ExitCode, ended.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(ended.Json), Is.EqualTo(new[] { "address", "models" }));
        Assert.That(ended.Json.GetProperty("address").GetString(), Is.EqualTo($"http://localhost:{port}"));
        Assert.That(ended.Json.GetProperty("models")[0].GetProperty("tasks").EnumerateArray().Select(task => task.GetString()),
            Is.EqualTo(new[] { "Generation", "Infill" }));
    }

    [Test]
    public async Task A_run_that_takes_longer_than_the_drain_is_cut_off()
    {
        int port = Ports.Free();
        using var cancellation = new CancellationTokenSource();
        string[] args = ["serve", "--model", ModelLocator.Generator, "--port", $"{port}", "--drain", "0", "--threads", "1", "--kernels", "Reference"];
        Task<MtxRun> run = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, args);
        using var client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}/") };
        await WhenItAnswers(client, "health");
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions");
        request.Content = new StringContent(
            """{"prompt": "def f(", "max_tokens": 500, "n": 8, "ignore_eos": true, "stream": true}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage stream = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        cancellation.Cancel();
        string text = "";
        try
        {
            text = await stream.Content.ReadAsStringAsync();
        }
        catch (HttpRequestException)
        {
            // The connection was cut.
        }
        Assert.That(text, Does.Not.EndWith("data: [DONE]\n\n"));
        Assert.That((await run).ExitCode, Is.Zero);
    }

    [Test]
    public void A_port_that_is_in_use_is_named()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        MtxRun run = MtxRun.Of("serve", "--host", "127.0.0.1", "--port", $"{((IPEndPoint)taken.LocalEndpoint).Port}");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.StartWith("mtx: http://127.0.0.1:").And.Contain("cannot be listened at").And.Contain("--port"));
    }

    [Test]
    public void The_socket_of_a_run_that_was_killed_is_taken_over()
    {
        const string Serve = "\"$@\" > \"$0\" & p=$!; while ! grep -qs Serving \"$0\"; do kill -0 $p || exit 99; sleep 0.05; done; ";
        string scratch = Folders.Scratch(), socket = Path.Combine(scratch, "m.sock");
        string[] args = [Path.Combine(scratch, "out"), .. MtxProcess.Command, "serve", "--model", ModelLocator.Generator, "--host", socket];
        MtxProcess.Run("/bin/sh", ["-c", Serve + "kill -KILL $p; wait $p", .. args]);
        Assert.That(File.Exists(socket), "what a killed run leaves");
        File.Delete(args[0]);
        MtxRun again = MtxProcess.Run("/bin/sh", ["-c", Serve + "kill -TERM $p; wait $p", .. args]);
        Assert.That((again.ExitCode, again.Error), Is.EqualTo((0, "")));
        Assert.That(File.Exists(socket), Is.False);
    }

    [Test]
    public void A_socket_that_somebody_answers_at_and_a_file_stay([Values] bool isSocket)
    {
        string path = Path.Combine(Folders.Scratch(), "m.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        if (isSocket)
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
        }
        else
            File.WriteAllText(path, "text");
        MtxRun run = MtxRun.Of("serve", "--host", path);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")), run.Error);
        Assert.That(run.Error, Does.StartWith($"mtx: http://unix:{path} cannot be listened at"));
        Assert.That(File.Exists(path));
    }

    [TestCase(3, "no/such/folder", "--model", "no/such/folder")]
    [TestCase(3, "Mtx.cs is a file", "--model", "demo-embed", "tools/Cli/Mtx.cs", Description = "several after one --model")]
    [TestCase(2, "at most 65535", "--port", "70000")]
    [TestCase(2, "--host is a/b", "--host", "a/b")]
    [TestCase(2, "--host is 300.1.1.1", "--host", "300.1.1.1", Description = "a mistyped address must not open the server to all")]
    [TestCase(2, "--cors-origin is http://a.b/", "--cors-origin", "http://a.b/")]
    [TestCase(2, "--memory is \"8 elephants\"", "--memory", "8 elephants")]
    [TestCase(2, "A key of --api-key is empty", "--api-key", " ")]
    public void What_cannot_be_served_is_said(int code, string message, params string[] args)
    {
        string[] given = [.. args.Select(arg => arg.EndsWith(".cs", StringComparison.Ordinal) ? Path.Combine(Folders.Repository, arg) : arg)];
        MtxRun run = MtxRun.Of(["serve", .. given]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((code, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
    }

    // In a process of its own: the current directory and the environment are a process's.
    [TestCase("""{"ManagedTransformers": {"Preloads": true}}""", 2, "ManagedTransformers:Preloads is no option")]
    [TestCase("""{"ManagedTransformers": {"Models": ["no/such/folder"]}}""", 3, "no/such/folder")]
    [TestCase("""{"ManagedTransformers": """, 2, "appsettings.json")]
    public void Appsettings_of_the_current_directory_count(string settings, int code, string message)
    {
        string folder = Folders.Scratch();
        File.WriteAllText(Path.Combine(folder, "appsettings.json"), settings);
        MtxRun run = MtxProcess.Run("/bin/sh", ["-c", "cd \"$0\" && exec \"$@\"", folder, .. MtxProcess.Command, "serve"]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((code, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message));
    }

    [Test]
    public void SIGTERM_ends_it_with_exit_code_0()
    {
        MtxRun run = MtxProcess.Run("/bin/sh",
            ["-c", "\"$@\" > \"$0\" & p=$!; while ! grep -qs Serving \"$0\"; do sleep 0.05; done; kill -TERM $p; wait $p",
             Path.Combine(Folders.Scratch(), "out"), .. MtxProcess.Command, "serve", "--model", ModelLocator.Generator, "--port", "0"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public void SIGTERM_while_it_starts_ends_it_with_exit_code_0()
    {
        MtxRun run = MtxProcess.Run("/bin/sh",
            ["-c", "\"$@\" & p=$!; while ! grep -qs Serving.dll /proc/$p/maps; do :; done; kill -TERM $p; wait $p", "sh", .. MtxProcess.Command, "serve",
             "--preload", "--port", "0"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task Keys_from_a_pipe_into_which_nobody_writes_are_not_waited_for()
    {
        string pipe = Path.Combine(Folders.Scratch(), "keys");
        Assert.That(MtxProcess.Run("mkfifo", [pipe]).ExitCode, Is.Zero);
        using var cancellation = new CancellationTokenSource();
        Task<MtxRun> run = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, ["serve", "--port", "0", "--api-key-file", pipe]);
        // It opens as soon as the other end does: the command reads from then on.
        using FileStream writer = await Task.Run(() => new FileStream(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite));
        cancellation.Cancel();
        await Task.WhenAny(run, Task.Delay(TimeSpan.FromMinutes(1)));
        Assert.That(run.IsCompleted, "it waits for the pipe");
        Assert.That(await run, Is.EqualTo(new MtxRun(0, "", "")));
    }

    // In a process of its own: the environment is a process's.
    [TestCase("Logging__LogLevel__Default=loud", 2, "appsettings.json of the current directory or a variable of the environment is wrong", "'loud'")]
    [TestCase("DOTNET_hostBuilder__reloadConfigOnChange=often", 2, "a variable of the environment is wrong", "hostBuilder:reloadConfigOnChange")]
    [TestCase("ASPNETCORE_URLS=https://localhost:0", 3, "The configured address cannot be listened at", "--host and --port")]
    [TestCase("ASPNETCORE_URLS=https://127.0.0.1:0", 3, "The configured address cannot be listened at: https is not spoken here", "a proxy with TLS")]
    public void Settings_of_ASP_NET_Core_that_are_wrong_are_no_defect(string variable, int code, string message, string also)
    {
        MtxRun run = MtxProcess.Run("env", [variable, .. MtxProcess.Command, "serve", "--model", ModelLocator.Generator]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((code, "")), run.Error);
        Assert.That(run.Error, Does.StartWith("mtx: ").And.Contain(message).And.Contain(also).And.Not.Contain("defect"));
    }

    [Test]
    public async Task What_was_cancelled_before_it_began_ends_with_exit_code_0()
    {
        MtxRun run = await MtxRun.RunAsync(TextReader.Null, terminal: false, new CancellationToken(canceled: true), ["serve", "--port", "0"]);
        Assert.That((run.ExitCode, run.Out, run.Error), Is.EqualTo((0, "", "")));
    }

    [Test]
    public void A_log_is_one_line_that_a_terminal_does_not_obey()
    {
        var formatter = new LogFormatter(new ConfigurationBuilder().Build());
        using var line = new StringWriter();
        var entry = new LogEntry<string>(LogLevel.Information, "category", new EventId(5), "a\u009b31mb\u0007\u007f\nc\u0085d",
            exception: null, static (text, _) => text);
        formatter.Write(entry, scopeProvider: null, line);
        Assert.That(line.ToString()[9..], Is.EqualTo("info: category[5] a\\u009B31mb\\u0007\\u007F c d" + Environment.NewLine));
    }

    [Test]
    public async Task Metrics_and_traces_go_to_the_collector_that_the_environment_names()
    {
        int port = Ports.Free(), collector = Ports.Free();
        using var listener = new HttpListener { Prefixes = { $"http://127.0.0.1:{collector}/" } };
        listener.Start();
        var received = new System.Collections.Concurrent.ConcurrentDictionary<string, string>();
        Task collecting = Task.Run(async () =>
        {
            while (listener.IsListening)
            {
                HttpListenerContext context = await listener.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                string text = Encoding.Latin1.GetString(body.ToArray());
                received.AddOrUpdate(context.Request.Url!.AbsolutePath, text, (_, before) => before + text);
                context.Response.Close();
            }
        });
        var start = new System.Diagnostics.ProcessStartInfo(
            MtxProcess.Command[0], [.. MtxProcess.Command[1..], "serve", "--model", ModelLocator.Generator, "--port", $"{port}"])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment =
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{collector}", ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "50", ["OTEL_METRIC_EXPORT_INTERVAL"] = "50",
            },
        };
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(start)!;
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}/") };
            await WhenItAnswers(client, "health");
            using var content = new StringContent("""{"prompt": "def f(", "max_tokens": 3}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.PostAsync("v1/completions", content);
            var waited = System.Diagnostics.Stopwatch.StartNew();
            while (waited.Elapsed < TimeSpan.FromSeconds(60) && !(received.GetValueOrDefault("/v1/traces", "").Contains("text_completion demo-codegen")
                && received.GetValueOrDefault("/v1/metrics", "").Contains("gen_ai.server.time_to_first_token")))
                await Task.Delay(20);
        }
        finally
        {
            process.Kill();
            listener.Stop();
            await collecting.ContinueWith(_ => { }, TaskScheduler.Default);
        }
        Assert.That(received["/v1/traces"], Does.Contain("text_completion demo-codegen").And.Contain("gen_ai.usage.output_tokens"));
        Assert.That(received["/v1/metrics"], Does.Contain("gen_ai.server.time_to_first_token"));
    }

    private static async Task<string> WhenItAnswers(HttpClient client, string path)
    {
        while (true)
        {
            try
            {
                return await client.GetStringAsync(path);
            }
            catch (HttpRequestException)
            {
                await Task.Delay(20);
            }
        }
    }
}
