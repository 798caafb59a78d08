using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The models that were used last, as the next work mostly wants the same: one as stored, and one quantized.</summary>
internal sealed class ModelCache(CheckpointCache checkpoints) : IDisposable
{
    private readonly Dictionary<bool, (object Key, PretrainedModel Model)> _models = [];

    public CheckpointCache Checkpoints { get; } = checkpoints;

    /// <summary>A checkpoint as class <typeparamref name="T"/>, loaded for a level, a number of threads and a format of weights.</summary>
    public T Load<T>(string checkpoint, KernelOptions kernels, WeightFormat format = WeightFormat.AsStored) where T : class, IPretrainedModel
    {
        object key = (typeof(T), checkpoint, kernels, format);
        bool quantized = format != WeightFormat.AsStored;
        if (_models.TryGetValue(quantized, out (object Key, PretrainedModel Model) held))
        {
            if (held.Key.Equals(key))
                return (T)(object)held.Model;
            _models.Remove(quantized);
            held.Model.Dispose();
        }
        var options = new LoadOptions { Kernels = kernels, WeightFormat = format, QuantizeHead = quantized };
        T model = PretrainedModels.Load<T>(Checkpoints.Open(checkpoint), options);
        _models[quantized] = (key, (PretrainedModel)(object)model);
        return model;
    }

    public void Dispose()
    {
        foreach ((_, PretrainedModel model) in _models.Values)
            model.Dispose();
    }
}
