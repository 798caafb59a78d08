namespace ManagedTransformers.Models;

/// <summary>A model as a debugger opens it.</summary>
internal sealed class PretrainedModelDebugView(PretrainedModel model)
{
    public string Architecture => model.Architecture;

    public PretrainedConfig Config => model.Config;

    /// <summary>How many numbers the weights are.</summary>
    public long Parameters => model.Weights.Sum(weight => weight.ElementCount);

    /// <summary>How the checkpoint stores them, and how many of them are of each type.</summary>
    public string StoredAs => string.Join(", ", model.Weights.GroupBy(weight => weight.Type)
        .Select(group => $"{group.Key}: {DebuggerText.Count(group.Sum(weight => weight.ElementCount))}"));

    public LoadOptions LoadOptions => model.LoadOptions;

    public bool IsDisposed => model.IsDisposed;

    public Weight[] Weights => [.. model.Weights];
}
