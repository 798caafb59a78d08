using System.ComponentModel;
using System.Diagnostics;

namespace ManagedTransformers.Cli.Tests;

/// <summary>mtx as a process of its own, started through a program of Linux that takes something from it: a disk, a limit, its input.</summary>
internal static class MtxProcess
{
    /// <summary>What starts mtx; its arguments follow.</summary>
    public static string[] Command { get; } =
        [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", Path.Combine(AppContext.BaseDirectory, "mtx.dll")];

    public static MtxRun Run(string program, string[] args)
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("This test takes something from a process by means of Linux.");
        var start = new ProcessStartInfo(program, args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";     // .NET's own code would lie in a file, which a limit of files holds for as well
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new MtxRun(process.ExitCode, output, error.Result);
        }
        catch (Win32Exception e)
        {
            Assert.Ignore($"{program} does not start here ({e.Message}).");
            throw;
        }
    }
}
