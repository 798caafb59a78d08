using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Opening a checkpoint and closing it again, in a process that has done so before.</summary>
internal sealed class OpenWork(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels) : Work($"open {size.Name}", kernels)
{
    private readonly string _directory = checkpoints.Open(size.Checkpoint);

    public override void Run() => PretrainedModels.Load(_directory, new LoadOptions { Kernels = Kernels }).Dispose();
}

/// <summary>Opening the files of weights and closing them again, without a model.</summary>
internal sealed class OpenFilesWork(string name, string directory, KernelOptions kernels) : Work(name, kernels)
{
    /// <summary>A PyTorch file, interleaved with a safetensors file of the same tensors.</summary>
    public static OpenFilesWork Torch(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels) =>
        new($"open {Checkpoint.TorchFileName} of {size.Name}", checkpoints.OpenTorch(size.Checkpoint), kernels)
        {
            Siblings = [("safetensors", () => new OpenFilesWork("", checkpoints.Open(size.Checkpoint), kernels))],
        };

    public override void Run() => Checkpoint.Open(directory).Dispose();
}

/// <summary>The first forward pass of a new process, compilation included: from opening the checkpoint to the first scores.</summary>
internal sealed class ColdStartWork(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels)
    : Work($"first token of a new process, {size.Name}", kernels)
{
    private readonly string _directory = checkpoints.Open(size.Checkpoint);

    /// <summary>Starts a new process and reads its times.</summary>
    public FirstToken.Times StartProcess() => FirstToken.Measure(_directory, Kernels);

    public override void Run() => StartProcess();
}
