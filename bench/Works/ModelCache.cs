using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The model that was used last, as the next work mostly wants the same one.</summary>
internal sealed class ModelCache(CheckpointCache checkpoints) : IDisposable
{
    private PretrainedModel? _model;
    private (Type, string, KernelOptions)? _key;

    public CheckpointCache Checkpoints { get; } = checkpoints;

    /// <summary>A checkpoint as class <typeparamref name="T"/>, loaded for a level and a number of threads.</summary>
    public T Load<T>(string checkpoint, KernelOptions kernels) where T : PretrainedModel
    {
        (Type, string, KernelOptions) key = (typeof(T), checkpoint, kernels);
        if (_key != key)
        {
            _model?.Dispose();
            (_model, _key) = (null, null);
            _model = PretrainedModels.Load<T>(Checkpoints.Open(checkpoint), new LoadOptions { Kernels = kernels });
            _key = key;
        }
        return (T)_model!;
    }

    public void Dispose() => _model?.Dispose();
}
