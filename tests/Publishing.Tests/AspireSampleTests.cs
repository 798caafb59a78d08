using System.Diagnostics;
using System.Text;
using System.Text.Json;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Publishing.Tests;

/// <summary>samples/Apps/Aspire as its document says to run it: three silos, and a gateway that answers.</summary>
[Explicit("Builds the app and mtx, and starts four servers: minutes")]
[Category("Fleet")]
public sealed class AspireSampleTests
{
    private const string Project = "samples/Apps/Aspire";

    [Test]
    public async Task Three_silos_and_a_gateway_start_and_end_together()
    {
        DotnetProcess.Run(RepositoryRoot.Path, "build", Project, "-c", "Release", "-v", "q", "-nologo", "-warnaserror");
        int port = FourFreePorts();
        var start = new ProcessStartInfo(DotnetProcess.Dotnet, [Path.Combine(RepositoryRoot.Path, Project, "bin", "Release", "net10.0",
            "ManagedTransformers.Samples.Aspire.dll"), "--Port", $"{port}", "--Cluster", $"localhost:{Ports.Free()}"]) { UseShellExecute = false };
        start.Environment["ASPNETCORE_URLS"] = $"http://localhost:{Ports.Free()}";
        start.Environment["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://localhost:{Ports.Free()}";
        start.Environment["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true";
        start.Environment["ASPIRE_VERSION_CHECK_DISABLED"] = "true";
        using Process app = Process.Start(start)!;
        try
        {
            using var gateway = new HttpClient { BaseAddress = new Uri($"http://localhost:{port + 3}/"), Timeout = Timeout.InfiniteTimeSpan };
            JsonElement status = await UntilAsync(app, gateway, all => all.GetProperty("silos").GetArrayLength() == 3);
            Assert.That(status.GetProperty("silos").EnumerateArray().Select(silo => silo.GetProperty("name").GetString()),
                Is.EqualTo(new[] { "silo-0", "silo-1", "silo-2" }));
            using var body = new StringContent("""{"prompt": "def add(a, b):\n", "max_tokens": 5, "temperature": 0}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await gateway.PostAsync(new Uri("v1/completions", UriKind.Relative), body);
            Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("Add two"));
            using (Process interrupt = Process.Start("kill", ["-INT", $"{app.Id}"])!)
                await interrupt.WaitForExitAsync();
            await app.WaitForExitAsync();
            Assert.That(async () => await gateway.GetAsync(new Uri("livez", UriKind.Relative)),
                Throws.InstanceOf<HttpRequestException>(), "it has ended as well");
        }
        finally
        {
            if (!app.HasExited)
                app.Kill();
        }
    }

    // The servers have ports that follow each other.
    private static int FourFreePorts()
    {
        while (true)
        {
            int first = Ports.Free();
            if (Enumerable.Range(first, 4).All(IsFree))
                return first;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var probe = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
            probe.Start();
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    // What the gateway says of the fleet, once it is so.
    private static async Task<JsonElement> UntilAsync(Process app, HttpClient gateway, Func<JsonElement, bool> holds)
    {
        while (true)
        {
            Assert.That(app.HasExited, Is.False, "the app runs");
            try
            {
                var status = JsonElement.Parse(await gateway.GetStringAsync(new Uri("status", UriKind.Relative)));
                if (status.TryGetProperty("silos", out _) && holds(status))
                    return status;
            }
            catch (HttpRequestException)                                           // it does not listen yet
            {
            }
            await Task.Delay(200);
        }
    }
}
