using System.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The first forward pass of a new process, compilation included: what a user waits for, from opening the checkpoint to the first scores.</summary>
/// <remarks>The file itself is in the page cache, as it is after a download or an earlier start.</remarks>
internal sealed class ColdStartWork(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels)
    : ProcessWork($"first token of a new process, {size.Name}", size, checkpoints, kernels)
{
    /// <summary>The hidden command that this program starts itself with.</summary>
    public const string Command = "first-token";

    private const int PromptLength = 16;
    private const int WarmPass = 10;
    private const int DefaultRuns = 5;

    public override IEnumerable<ProcessLine> Measure(int? runs)
    {
        double[][] numbers = [.. Enumerable.Range(0, runs ?? DefaultRuns).Select(_ => Start(Command, Source))];
        ProcessLine Line(string what, int number) => new($": {what}", [.. numbers.Select(one => one[number])]);
        return [Line("open", 0), Line($"first pass of {PromptLength} tokens", 1), Line("tenth pass", 2)];
    }

    /// <summary>What the new process does: opening the checkpoint, the first pass, and the tenth.</summary>
    public static void Serve(string directory, int threads)
    {
        long start = Stopwatch.GetTimestamp();
        using PretrainedModel model = PretrainedModels.Load(directory, new LoadOptions { Kernels = new KernelOptions { MaxThreads = threads } });
        double open = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        double[] passes = [.. Enumerable.Range(0, WarmPass).Select(_ => Pass(model))];
        Tell(open, passes[0], passes[^1]);
    }

    private static double Pass(PretrainedModel model)
    {
        using Session session = model.CreateSession(new SessionOptions { MaxLength = PromptLength });
        long start = Stopwatch.GetTimestamp();
        model.Forward(ModelInputs.Of(TokenIds.Some(PromptLength)), session, new ForwardOptions { LogitsAt = [(0, PromptLength - 1)] });
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
