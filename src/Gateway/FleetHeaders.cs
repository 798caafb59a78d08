using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Gateway;

/// <summary>Tokenizers and configurations of the fleet's models, without weights: what a gateway encodes and checks requests with. They come from this
/// process's own files where it has them, else from a silo, checked by the fingerprint.</summary>
internal sealed partial class FleetHeaders(IServiceProvider services, ServerOptions options, ILogger<FleetHeaders> log) : IDisposable
{
    private readonly ConcurrentDictionary<(string Model, string Fingerprint), Lazy<Task<ModelPipelines>>> _all = new();
    private readonly SiloModels? _own = services.GetService<SiloModels>();

    /// <summary>Begins to load one, so that its first request finds it.</summary>
    public void Prepare(IGrainFactory grains, FleetModel model) => GetAsync(grains, model).Ignore();

    /// <summary>That of a model. What could not be loaded is tried again.</summary>
    /// <exception cref="NoSiloException">No silo is left to ask.</exception>
    /// <exception cref="ModelFingerprintException">What came is not what the fleet serves.</exception>
    public async Task<ModelPipelines> GetAsync(IGrainFactory grains, FleetModel model)
    {
        if (model.Fingerprint is not string fingerprint)
        {
            Lazy<Task<ModelPipelines>>? last = _all.FirstOrDefault(one => one.Key.Model == model.Id).Value;
            return last is not null ? await last.Value.ConfigureAwait(false)
                : throw new NoSiloException($"No silo with the model {model.Id} is left. Try again later.");
        }
        (string Id, string) key = (model.Id, fingerprint);
        Lazy<Task<ModelPipelines>> header = _all.GetOrAdd(key, _ => new(() => Task.Run(() => LoadAsync(grains, model, fingerprint))));
        try
        {
            return await header.Value.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (_all.TryRemove(new KeyValuePair<(string, string), Lazy<Task<ModelPipelines>>>(key, header)))
                CannotLoad(log, model.Id, e.Message);
            throw;
        }
    }

    /// <summary>What config.json of a model says; null: it is not loaded yet.</summary>
    public PretrainedConfig? ConfigOf(FleetModel model) =>
        model.Fingerprint is string fingerprint && _all.TryGetValue((model.Id, fingerprint), out Lazy<Task<ModelPipelines>>? header)
            && header is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }
            ? header.Value.Result.First.Model.Config : null;

    public void Dispose()
    {
        foreach (Lazy<Task<ModelPipelines>> header in _all.Values)
        {
            if (header is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
                header.Value.Result.Dispose();
        }
    }

    private async Task<ModelPipelines> LoadAsync(IGrainFactory grains, FleetModel model, string fingerprint)
    {
        PipelineOptions pipeline = options.Pipeline with { ModelId = model.Id };
        if (_own is not null && await _own.DirectoryOfAsync(model.Id, fingerprint).ConfigureAwait(false) is string directory)
            return ModelPipelines.WithoutWeights(directory, model.Tasks, pipeline);
        Exception? error = null;
        foreach (SiloReport silo in model.Serving.Where(report => report.Fingerprint == fingerprint))
        {
            try
            {
                CheckpointFiles files = await ReadAsync(grains, silo.Silo, model.Id).ConfigureAwait(false);
                return ModelPipelines.WithoutWeights(files.Checked(model.Id, silo.Name, fingerprint), model.Tasks, pipeline);
            }
            catch (Exception e) when (SiloFailures.IsOfSilo(e))
            {
                error = e;
            }
        }
        throw new NoSiloException($"No silo could give the tokenizer of the model {model.Id}. Try again later.", error!);
    }

    private static Task<CheckpointFiles> ReadAsync(IGrainFactory grains, SiloAddress silo, string model)
    {
        ModelPlacementDirector.SendTo(silo);
        return grains.GetGrain<ICheckpointGrain>(Guid.NewGuid()).ReadAsync(model);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The tokenizer of {Model} cannot be loaded; the next request tries again: {Problem}")]
    private static partial void CannotLoad(ILogger log, string model, string problem);
}
