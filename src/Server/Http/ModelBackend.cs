using System.Collections.Concurrent;

namespace ManagedTransformers.Server;

/// <summary>Where the models are that a server serves: in this process, or on the silos of a cluster.</summary>
internal abstract class ModelBackend
{
    /// <summary>The models. Their order says which of several is meant where a request names none.</summary>
    public abstract IReadOnlyList<ModelStatus> Models { get; }

    /// <summary>The machines of a fleet; null: the models are in this process.</summary>
    public virtual IReadOnlyList<FleetSilo>? Silos => null;

    /// <summary>A model to use, loaded where it is not.</summary>
    /// <exception cref="UnknownModelException">There is no such model.</exception>
    /// <exception cref="ModelLoadException">It cannot be loaded.</exception>
    /// <exception cref="EngineBusyException">There is no room for it now.</exception>
    public abstract Task<ServedModel> AcquireAsync(string id, CancellationToken cancellationToken);

    /// <summary>Makes ready for requests. A failure of a model is that model's, and told to <paramref name="failed"/>.</summary>
    /// <param name="preload">Whether all models are loaded now.</param>
    /// <param name="loaded">Told a model that is there.</param>
    /// <param name="failed">Told a model that is not, and why.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract Task LoadAsync(bool preload, Action<string> loaded, Action<string, string> failed, CancellationToken cancellationToken);

    /// <summary>What a model's config.json says; null: it is not known, or cannot be read.</summary>
    public abstract PretrainedConfig? ConfigOf(string id);

    /// <summary>What the engines of a model do now; none where it is in no memory.</summary>
    public abstract IReadOnlyList<EngineLook> LookAt(string id);

    /// <summary>What an error of this backend's own is to a client; null: it is none.</summary>
    public virtual ApiException? ErrorOf(Exception error) => null;
}

/// <summary>A model in use by a request, which disposes it after the last use.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="Tasks">What it can do.</param>
/// <param name="Generation">The engine of a decoder; null where the model is none.</param>
/// <param name="Encoder">The engine of any other model; null for a decoder.</param>
/// <param name="Use">Disposed when the request is done; null: nothing is.</param>
internal sealed record ServedModel(string Id, ModelTasks Tasks, IGenerationEngine? Generation, IEncoderEngine? Encoder, IDisposable? Use = null) : IDisposable
{
    public void Dispose() => Use?.Dispose();
}

/// <summary>What an engine does.</summary>
/// <param name="Silo">The machine of a fleet; null: this process.</param>
/// <param name="MaxQueue">The most requests that wait.</param>
internal sealed record EngineLook(string? Silo, int MaxQueue)
{
    /// <summary>Of a decoder.</summary>
    public GenerationEngineState? Generation { get; init; }

    /// <summary>The most texts that a decoder generates at once.</summary>
    public int MaxRows { get; init; }

    /// <summary>Of an encoder.</summary>
    public EncoderEngineState? Encoder { get; init; }
}

/// <summary>A machine of a fleet.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Address">Its address, which no other one ever has.</param>
/// <param name="KernelLevel">Of its processor.</param>
/// <param name="FreeBytes">Bytes for models, without those of models in use.</param>
/// <param name="Models">Its models.</param>
internal sealed record FleetSilo(string Name, string Address, string KernelLevel, long FreeBytes, IReadOnlyList<FleetSiloModel> Models);

/// <summary>A model on a machine of a fleet.</summary>
/// <param name="Id">What it is called.</param>
/// <param name="IsLoaded">Whether it is in memory.</param>
/// <param name="Fingerprint">Of its files there, and of the runtime.</param>
/// <param name="NeededBytes">Bytes that it takes.</param>
/// <param name="Running">Texts that run.</param>
/// <param name="Waiting">Requests that wait.</param>
/// <param name="MaxRows">The most texts that a decoder generates at once; 0: it is an encoder, or not in memory.</param>
/// <param name="CachedBlocks">Blocks of 64 tokens that its cache can give to other prompts, as far as they are reported.</param>
/// <param name="Problem">Why it gets no requests, with both fingerprints; null: it does.</param>
internal sealed record FleetSiloModel(
    string Id, bool IsLoaded, string Fingerprint, long NeededBytes, int Running, int Waiting, int MaxRows, int CachedBlocks, string? Problem);

/// <summary>Models in this process.</summary>
internal sealed class LocalBackend(ModelHost host) : ModelBackend
{
    private readonly ConcurrentDictionary<string, PretrainedConfig?> _configs = [];

    public override IReadOnlyList<ModelStatus> Models => host.Models;

    public override async Task<ServedModel> AcquireAsync(string id, CancellationToken cancellationToken)
    {
        ModelLease lease = await host.AcquireAsync(id, progress: null, cancellationToken).ConfigureAwait(false);
        return new ServedModel(lease.Id, lease.Tasks, lease.Generation, lease.Encoder, lease);
    }

    public override async Task LoadAsync(bool preload, Action<string> loaded, Action<string, string> failed, CancellationToken cancellationToken)
    {
        foreach (ModelStatus model in preload ? Models : [])
        {
            try
            {
                using ModelLease lease = await host.AcquireAsync(model.Id, progress: null, cancellationToken).ConfigureAwait(false);
                loaded(model.Id);
            }
            catch (ManagedTransformersException e)
            {
                failed(model.Id, e.Message);
            }
        }
    }

    public override PretrainedConfig? ConfigOf(string id) => _configs.GetOrAdd(id, host.ConfigOf);

    public override IReadOnlyList<EngineLook> LookAt(string id) => host.LookAt(id) switch
    {
        (GenerationEngine engine, _) => [new EngineLook(null, engine.Options.MaxQueue) { Generation = engine.State, MaxRows = engine.Options.MaxRows }],
        (_, EncoderEngine engine) => [new EngineLook(null, engine.Options.MaxQueue) { Encoder = engine.State }],
        _ => [],
    };
}
