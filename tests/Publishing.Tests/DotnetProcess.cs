using System.Collections;
using System.Diagnostics;

namespace ManagedTransformers.Publishing.Tests;

/// <summary>The SDK and published apps, each as a process of its own.</summary>
internal static class DotnetProcess
{
    public static string Dotnet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>Runs <c>dotnet</c>, which must succeed, and gives what it prints.</summary>
    public static string Run(string directory, params string[] args)
    {
        (int exitCode, string output, string error) = Start(Dotnet, directory, new Dictionary<string, string>(), args);
        Assert.That(exitCode, Is.Zero, $"dotnet {string.Join(' ', args)}\n{output}{error}");
        return output;
    }

    public static (int ExitCode, string Output, string Error) Start(
        string program, string directory, IReadOnlyDictionary<string, string> environment, params string[] args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory,
        };
        // dotnet test tells its processes where its own MSBuild is; another one is needed here.
        foreach (string name in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(variable => (string)variable.Key))
        {
            if (name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name == "MTX_KERNELS")
                start.Environment.Remove(name);
        }
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
