using System.Diagnostics;
using ManagedTransformers.Cli;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Playground.Tests;

/// <summary>The page, published once for all tests, and served as mtx playground serves it.</summary>
internal static class PublishedPage
{
    // Into the folder where mtx playground looks for it.
    private static readonly Lazy<string> s_folder = new(() => PublishedPlayground.Find(Publish("tools", "Playground")));
    private static readonly Lazy<string> s_address = new(() => Serve(Folder));

    /// <summary>What dotnet publish made.</summary>
    public static string Folder => s_folder.Value;

    /// <summary>Where the page is.</summary>
    public static string Address => s_address.Value;

    /// <summary>Serves a folder until the tests end.</summary>
    /// <returns>Its address.</returns>
    public static string Serve(string folder)
    {
        var server = new StaticFileServer(folder, Ports.Free());
        _ = server.RunAsync(CancellationToken.None);
        return server.Address;
    }

    /// <summary>Publishes a project for browsers. What is up to date is not made anew.</summary>
    /// <param name="path">Where the project is in the repository.</param>
    /// <returns>The folder to be served.</returns>
    public static string Publish(params string[] path)
    {
        string project = Path.Combine([Folders.Repository, .. path]);
        using Process publish = Process.Start(new ProcessStartInfo("dotnet", ["publish", project, "-c", "Release", "-v", "quiet", "-nodeReuse:false"])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["MSBUILDDISABLENODEREUSE"] = "1", ["DOTNET_NOLOGO"] = "1" },
        })!;
        Task<string> errors = publish.StandardError.ReadToEndAsync();
        string output = publish.StandardOutput.ReadToEnd();
        publish.WaitForExit();
        Assert.That(publish.ExitCode, Is.Zero, output + errors.Result);
        return Path.Combine(project, "bin", "Release", "net10.0", "publish", "wwwroot");
    }
}
