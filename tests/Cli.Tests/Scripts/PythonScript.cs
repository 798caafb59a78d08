using System.ComponentModel;
using System.Diagnostics;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Runs a script of tools/reference, where there is a python3; else the test is ignored.</summary>
internal static class PythonScript
{
    private static string Folder { get; } = Path.Combine(Folders.Repository, "tools", "reference");

    public static (int ExitCode, string Output, string Error) Run(string script, params string[] args) =>
        Start(script, [Path.Combine(Folder, script), .. args]);

    /// <summary>Runs lines of Python that can import the scripts.</summary>
    public static (int ExitCode, string Output, string Error) RunLines(string script, string lines) =>
        Start(script, ["-c", $"import sys\nsys.path.insert(0, {Quoted(Folder)})\n{lines}"]);

    public static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);

    private static (int ExitCode, string Output, string Error) Start(string script, string[] args)
    {
        var start = new ProcessStartInfo("python3", args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        start.Environment["PYTHONUTF8"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (Win32Exception e)
        {
            Assert.Ignore($"python3 does not start here ({e.Message}); {script} needs it.");
            throw;
        }
    }
}
