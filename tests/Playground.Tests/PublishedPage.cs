using System.Diagnostics;
using System.Net.Sockets;
using ManagedTransformers.Cli;

namespace ManagedTransformers.Playground.Tests;

/// <summary>The page, published once for all tests, and served as mtx playground serves it.</summary>
internal static class PublishedPage
{
    private static readonly Lazy<string> s_folder = new(Publish);
    private static readonly Lazy<StaticFileServer> s_server = new(Serve);

    /// <summary>What dotnet publish made.</summary>
    public static string Folder => s_folder.Value;

    /// <summary>Where the page is.</summary>
    public static string Address => s_server.Value.Address;

    /// <summary>A port that nobody listens at.</summary>
    public static int FreePort()
    {
        using var probe = new TcpListener(System.Net.IPAddress.Loopback, 0);
        probe.Start();
        return ((System.Net.IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static StaticFileServer Serve()
    {
        var server = new StaticFileServer(Folder, FreePort());
        _ = server.RunAsync(CancellationToken.None);
        return server;
    }

    /// <summary>Into the folder where mtx playground looks for it. What is up to date is not made anew.</summary>
    private static string Publish()
    {
        string project = Path.Combine(Folders.Repository, "tools", "Playground");
        using Process publish = Process.Start(new ProcessStartInfo("dotnet", ["publish", project, "-c", "Release", "-v", "quiet", "-nodeReuse:false"])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_NOLOGO"] = "1" },
        })!;
        Task<string> errors = publish.StandardError.ReadToEndAsync();
        string output = publish.StandardOutput.ReadToEnd();
        publish.WaitForExit();
        Assert.That(publish.ExitCode, Is.Zero, output + errors.Result);
        return PublishedPlayground.Find(Path.Combine(project, "bin", "Release", "net10.0", "publish", "wwwroot"));
    }
}
