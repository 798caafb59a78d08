using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Opening a checkpoint and closing it again, in a process that has done so before.</summary>
internal sealed class OpenWork(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels) : Work($"open {size.Name}", kernels)
{
    private string _directory = "";

    public override void Prepare() => _directory = checkpoints.Open(size.Checkpoint);

    public override void Run() => PretrainedModels.Load(_directory, new LoadOptions { Kernels = Kernels }).Dispose();
}

/// <summary>Opening the files of weights and closing them again, without a model.</summary>
internal sealed class OpenFilesWork(string name, Func<string> find, KernelOptions kernels) : Work(name, kernels)
{
    private string _directory = "";

    /// <summary>A PyTorch file, interleaved with a safetensors file of the same tensors.</summary>
    public static OpenFilesWork Torch(ModelSize size, CheckpointCache checkpoints, KernelOptions kernels) =>
        new($"open {Checkpoint.TorchFileName} of {size.Name}", () => checkpoints.OpenTorch(size.Checkpoint), kernels)
        {
            Siblings = [("safetensors", () => new OpenFilesWork("", () => checkpoints.Open(size.Checkpoint), kernels))],
        };

    public override void Prepare() => _directory = find();

    public override void Run() => Checkpoint.Open(_directory).Dispose();
}
