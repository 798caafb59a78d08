namespace ManagedTransformers.Models;

/// <summary>A file with named tensors, of whatever format: what a <see cref="Checkpoint"/> is made of.</summary>
internal interface IWeightFile : IDisposable
{
    string Name { get; }

    IReadOnlyDictionary<string, Weight> Weights { get; }

    IReadOnlyDictionary<string, string> Metadata { get; }
}
