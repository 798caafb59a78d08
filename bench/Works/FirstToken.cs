using System.Diagnostics;
using System.Globalization;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>A process of its own that opens a checkpoint and times its first passes: what a user waits for, compilation included.</summary>
/// <remarks>The file itself is in the page cache, as it is after a download or an earlier start.</remarks>
internal static class FirstToken
{
    /// <summary>The hidden command that this program starts itself with.</summary>
    public const string Command = "first-token";

    private const int PromptLength = 16;
    private const int WarmPass = 10;

    /// <summary>Milliseconds: opening the checkpoint, the first pass over 16 tokens, and the tenth.</summary>
    public sealed record Times(double OpenMs, double ColdMs, double WarmMs);

    /// <summary>Starts a process and reads its times.</summary>
    public static Times Measure(string directory, KernelOptions kernels)
    {
        // Started as "dotnet Bench.dll", this process is dotnet, which has to be told the program again.
        string program = Environment.ProcessPath!;
        string[] self = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        var start =
            new ProcessStartInfo(program, [.. self, Command, directory, $"{kernels.MaxThreads}"]) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment[KernelDispatch.EnvironmentVariable] = $"{kernels.Level}";
        using Process process = Process.Start(start)!;
        double[] numbers = [.. process.StandardOutput.ReadToEnd().Split(' ').Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        process.WaitForExit();
        return new Times(numbers[0], numbers[1], numbers[2]);
    }

    /// <summary>What the new process does.</summary>
    public static void Serve(string directory, int threads)
    {
        long start = Stopwatch.GetTimestamp();
        using PretrainedModel model = PretrainedModels.Load(directory, new LoadOptions { Kernels = new KernelOptions { MaxThreads = threads } });
        double open = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        double cold = 0, last = 0;
        for (int pass = 0; pass < WarmPass; pass++)
        {
            last = Pass(model);
            if (pass == 0)
                cold = last;
        }
        Console.Write(string.Create(CultureInfo.InvariantCulture, $"{open} {cold} {last}"));
    }

    private static double Pass(PretrainedModel model)
    {
        using Session session = model.CreateSession(new SessionOptions { MaxLength = PromptLength });
        long start = Stopwatch.GetTimestamp();
        model.Forward(ModelInputs.Of(TokenIds.Some(PromptLength)), session, new ForwardOptions { LogitsAt = [(0, PromptLength - 1)] });
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
