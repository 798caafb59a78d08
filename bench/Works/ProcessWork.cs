using System.Diagnostics;
using System.Globalization;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>What a work that runs in processes of its own has measured there.</summary>
/// <param name="What">What follows its name in the results.</param>
/// <param name="Ms">The milliseconds of each process.</param>
/// <param name="LargestResidentMb">The most memory that one of them had at once.</param>
internal sealed record ProcessLine(string What, IReadOnlyList<double> Ms, double? LargestResidentMb = null);

/// <summary>A work that is done in new processes of this program, which time it themselves.</summary>
/// <param name="name">What it is called in the results.</param>
/// <param name="size">The model.</param>
/// <param name="checkpoints">Where its checkpoint is.</param>
/// <param name="kernels">Level and threads.</param>
internal abstract class ProcessWork(string name, ModelSize size, CheckpointCache checkpoints, KernelOptions kernels) : Work(name, kernels)
{
    /// <summary>The directory of the checkpoint.</summary>
    protected string Source { get; private set; } = "";

    /// <summary>Starts as many processes as were asked for.</summary>
    public abstract IEnumerable<ProcessLine> Measure(int? runs);

    public override void Prepare() => Source = checkpoints.Open(size.Checkpoint);

    public override void Run() => _ = Measure(runs: 1).Count();

    /// <summary>Runs this program with a hidden command.</summary>
    /// <returns>The numbers that it writes.</returns>
    /// <exception cref="InvalidOperationException">It failed; its messages are on standard error.</exception>
    protected double[] Start(params string[] arguments)
    {
        // Started as "dotnet Bench.dll", this process is dotnet, which has to be told the program again.
        string program = Environment.ProcessPath!;
        string[] self = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        var start = new ProcessStartInfo(program, [.. self, .. arguments, $"{Kernels.MaxThreads}"]) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment[KernelDispatch.EnvironmentVariable] = $"{Kernels.Level}";
        using Process process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? [.. text.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture))]
            : throw new InvalidOperationException($"The process of {Name} ended with code {process.ExitCode}; its messages are above.");
    }

    /// <summary>Writes what a new process has measured.</summary>
    protected static void Tell(params double[] numbers) => Console.Write(string.Join(' ', numbers.Select(one => one.ToString(CultureInfo.InvariantCulture))));
}

/// <summary>Work of seconds or minutes that a process does once, and the most memory that it has for it: mapped pages count.</summary>
internal abstract class OnceWork(string name, ModelSize size, CheckpointCache checkpoints, KernelOptions kernels)
    : ProcessWork(name, size, checkpoints, kernels)
{
    public override IEnumerable<ProcessLine> Measure(int? runs)
    {
        double[][] numbers = [.. Enumerable.Range(0, runs ?? 1).Select(_ => StartOnce())];
        double most = numbers.Max(one => one[1]);
        yield return new ProcessLine("", [.. numbers.Select(one => one[0])], double.IsNaN(most) ? null : most);
    }

    /// <summary>Milliseconds, and 2²⁰ bytes.</summary>
    protected abstract double[] StartOnce();

    /// <summary>What the new process does.</summary>
    protected static void Serve(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        Tell(Stopwatch.GetElapsedTime(start).TotalMilliseconds, ProcessState.LargestResident() is long bytes ? bytes / (double)(1 << 20) : double.NaN);
    }
}

/// <summary>Writing a checkpoint with quantized weights, the head too, checked as <c>mtx convert</c> does; it is deleted afterwards.</summary>
internal sealed class ConvertWork(ModelSize size, WeightFormat format, CheckpointCache checkpoints, KernelOptions kernels)
    : OnceWork($"convert {size.Name} to {format}", size, checkpoints, kernels)
{
    /// <summary>The hidden command that this program starts itself with.</summary>
    public const string Command = "convert-once";

    private readonly string _target = Path.Combine(checkpoints.Directory, "converted", $"{size.Checkpoint}-{format}");

    public static void Serve(string source, string target, WeightFormat format) => Serve(() =>
        CheckpointConverter.Convert(source, target, new ConversionOptions { WeightFormat = format, QuantizeHead = true, Overwrite = true }));

    protected override double[] StartOnce()
    {
        double[] numbers = Start(Command, Source, _target, $"{format}");
        Directory.Delete(_target, recursive: true);
        return numbers;
    }
}

/// <summary>Loading a checkpoint and quantizing its weights, the head too.</summary>
internal sealed class LoadQuantizedWork(ModelSize size, WeightFormat format, CheckpointCache checkpoints, KernelOptions kernels)
    : OnceWork($"load {size.Name} as {format}", size, checkpoints, kernels)
{
    /// <summary>The hidden command that this program starts itself with.</summary>
    public const string Command = "load-once";

    public static void Serve(string source, WeightFormat format, int threads)
    {
        var options = new LoadOptions { WeightFormat = format, QuantizeHead = true, Kernels = new KernelOptions { MaxThreads = threads } };
        Serve(() => PretrainedModels.Load(source, options).Dispose());
    }

    protected override double[] StartOnce() => Start(Command, Source, $"{format}");
}
