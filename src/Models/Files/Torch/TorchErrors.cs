namespace ManagedTransformers.Models;

/// <summary>What is said of PyTorch files that cannot be used.</summary>
internal static class TorchErrors
{
    /// <summary>What to do about a file that is not what PyTorch wrote.</summary>
    public const string Advice = "The file is damaged, incomplete or not a PyTorch checkpoint: download or export it again.";

    /// <summary>What to do about a file that holds more than data.</summary>
    public const string RefusedAdvice =
        "Only state dicts are read, and nothing in the file was executed. If you trust the file, open it in Python and save the weights alone: " +
            "torch.save(model.state_dict(), \"pytorch_model.bin\").";

    /// <summary>The file breaks a rule of its format.</summary>
    public static CheckpointException Damaged(string file, string what, Exception? cause = null) => new($"{file}: {what} {Advice}", cause) { FileName = file };

    /// <summary>The file may be whole, but asks for what a state dict does not need.</summary>
    public static CheckpointException Refused(string file, string what) => new($"{file}: {what} {RefusedAdvice}") { FileName = file };

    /// <summary>A tensor does not fit its storage.</summary>
    public static CheckpointException BadTensor(string file, string tensor, string what) =>
        new($"{SafetensorsHeader.Shown(tensor)} in {file}: {what} {Advice}") { FileName = file, TensorName = tensor };
}
