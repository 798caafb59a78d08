using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli.Tests;

/// <summary>A call of the operating system that concerns what is written: the N-th of its kind in its thread.</summary>
internal sealed record CrashPoint(string Call, int Number, string Line);

/// <summary>How a traced process ended, and the calls that it made on files of a directory.</summary>
internal sealed record TracedRun(int ExitCode, string Out, string Error, IReadOnlyList<CrashPoint> Points)
{
    public bool IsKilled => ExitCode == 128 + 9;
}

/// <summary>strace, which can end a process, or have a call fail, at the N-th call of a kind.</summary>
internal static partial class Strace
{
    // What changes files. A new file is empty until its first write: the state after its open is that before its first write.
    private const string Calls = "?pwrite64,?fsync,?fdatasync,?ftruncate,?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat,?unlink,?unlinkat," +
        "?mkdir,?mkdirat,?rmdir,?chmod,?fchmod,?fchmodat";

    /// <summary>Runs a program.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="root">The directory whose files are meant.</param>
    /// <param name="workingDirectory">Where it runs.</param>
    /// <param name="environment">What is added to the environment.</param>
    /// <param name="injection">What happens to it, as strace's inject= takes it.</param>
    public static TracedRun Run(string[] command, string root, string workingDirectory, IReadOnlyDictionary<string, string> environment,
        string? injection = null)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("Processes are killed at system calls by means of Linux (strace).");
        string trace = Path.Combine(Path.GetTempPath(), $"mtx-trace-{Guid.NewGuid():N}");
        string[] inject = injection is null ? [] : ["-e", $"inject={injection}"];
        var start = new ProcessStartInfo("strace", ["-f", "-qq", "-y", "-s", "0", "-o", trace, "-e", $"trace={Calls}", .. inject, .. command])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = workingDirectory,
        };
        // .NET's own files and sockets would be among the calls.
        foreach ((string key, string value) in new[] { ("DOTNET_EnableWriteXorExecute", "0"), ("DOTNET_EnableDiagnostics", "0"), ("DOTNET_TieredPGO", "0") })
            start.Environment[key] = value;
        foreach ((string key, string value) in environment) start.Environment[key] = value;
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (error.Result.StartsWith("strace:", StringComparison.Ordinal)) Assert.Ignore($"strace cannot trace here: {error.Result}");
            return new TracedRun(process.ExitCode, output, error.Result, Read(trace, root));
        }
        catch (Win32Exception e)
        {
            Assert.Ignore($"strace does not start here ({e.Message}).");
            throw;
        }
        finally
        {
            File.Delete(trace);
        }
    }

    private static List<CrashPoint> Read(string trace, string root)
    {
        var counts = new Dictionary<(string Thread, string Call), int>();
        var points = new List<CrashPoint>();
        foreach (string line in File.ReadLines(trace))
        {
            if (Entry().Match(line) is not { Success: true } entry) continue;
            (string thread, string call) = (entry.Groups["thread"].Value, entry.Groups["call"].Value);
            int number = counts[(thread, call)] = counts.GetValueOrDefault((thread, call)) + 1;
            if (line.Contains(root, StringComparison.Ordinal)) points.Add(new CrashPoint(call, number, line));
        }
        return points;
    }

    [GeneratedRegex(@"^(?<thread>\d+) +(?<call>\w+)\(", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Entry();
}
