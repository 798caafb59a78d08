namespace ManagedTransformers.Models;

/// <summary>What a model is built from: weights by name, and how they are held.</summary>
public sealed class ModelSource
{
    internal ModelSource(ModelWeights weights, LoadOptions options, Checkpoint? checkpoint) => (Weights, Options, Checkpoint) = (weights, options, checkpoint);

    /// <summary>The weights; layers take theirs in their constructors.</summary>
    public ModelWeights Weights { get; }

    /// <summary>How the model is loaded.</summary>
    public LoadOptions Options { get; }

    internal Checkpoint? Checkpoint { get; }
}
