using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Orleans;

/// <summary>The models of a silo: one in the process, with engines on their own threads. Grains ask it for a lease, and wait.</summary>
internal sealed partial class SiloModels : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly ModelHost _host;
    private readonly ConcurrentDictionary<ModelLease, string> _leases = new();
    private readonly ConcurrentDictionary<string, ModelDrain> _drains = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _arriving = new(StringComparer.Ordinal);        // those that wait for a model to be loaded
    private readonly ConcurrentDictionary<string, Task<ModelVersion>> _versions = new(StringComparer.Ordinal);
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public SiloModels(ModelSiloOptions options)
    {
        if (!options.Host.Generation.Deterministic)
            throw new ArgumentException("Host.Generation.Deterministic is false, so that texts depend on what else runs and cannot go on on another silo. " +
                "Leave it true in a cluster.", nameof(options));
        Options = options;
        _host = new ModelHost(options.Host);
    }

    public ModelSiloOptions Options { get; }

    /// <summary>The level of the kernels, by name.</summary>
    public string KernelLevel => Options.Host.Pipeline.Load.Kernels.Level.ToString();

    /// <summary>Bytes for models.</summary>
    public long MemoryBytes => Options.Host.MemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>What changed since it was last asked for.</summary>
    public ChannelReader<bool> Changed => _changed.Reader;

    // What texts depend on besides files and version.
    private string Settings
    {
        get
        {
            LoadOptions load = Options.Host.Pipeline.Load;
            return $"{Options.Host.Generation.KeyValueType} {load.WeightFormat} {load.QuantizeHead} {load.WidenWeights}";
        }
    }

    /// <summary>The models whose files say that they can do something.</summary>
    public string[] Served => [.. _host.Models.Where(model => model.Tasks != ModelTasks.None).Select(model => model.Id)];

    /// <summary>Where files of a fingerprint are; null: this silo does not have them.</summary>
    public async Task<string?> DirectoryOfAsync(string model, string fingerprint)
    {
        if (_host.Models.All(one => one.Id != model))
            return null;
        ModelVersion version = await VersionOfAsync(model).ConfigureAwait(false);
        // Those of a model in memory may have been replaced.
        return version.Fingerprint == fingerprint && version.Files.Difference() is null ? _host.DirectoryOf(model) : null;
    }

    /// <summary>The files of a model, with the contents of the small ones.</summary>
    public Task<CheckpointFiles> FilesOf(string model) =>
        CheckpointFiles.ReadAsync(_host.DirectoryOf(model), Settings, withContents: true, CancellationToken.None);

    /// <summary>The fingerprint of a model: of the files that it was loaded from, or would be now.</summary>
    public async Task<string> FingerprintOf(string model) => (await VersionOfAsync(model).ConfigureAwait(false)).Fingerprint;

    /// <summary>Whether a model in use was loaded from files of a fingerprint.</summary>
    public async Task<bool> IsOfAsync(ModelLease lease, string fingerprint)
    {
        ModelVersion version = await VersionOfAsync(lease.Id).ConfigureAwait(false);
        return version.Fingerprint == fingerprint && version.Files.Same(lease.Files);
    }

    /// <summary>A model to use, loaded where it is not.</summary>
    public async Task<ModelLease> AcquireAsync(string model, CancellationToken cancellationToken)
    {
        _arriving.AddOrUpdate(model, 1, static (_, count) => count + 1);
        try
        {
            ModelLease lease = await _host.AcquireAsync(model, cancellationToken: cancellationToken).ConfigureAwait(false);
            _leases.TryAdd(lease, model);
            return lease;
        }
        finally
        {
            _arriving.AddOrUpdate(model, 0, static (_, count) => count - 1);
            Change();
        }
    }

    /// <summary>Loads a model for requests that come later. One that cannot be loaded is in the log, and who asks for it tries again.</summary>
    public async Task LoadAsync(string model, ILogger log, CancellationToken cancellationToken)
    {
        try
        {
            (await _host.AcquireAsync(model, cancellationToken: cancellationToken).ConfigureAwait(false)).Dispose();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            CannotLoad(log, model, e);
        }
        Change();
    }

    /// <summary>Ends a use.</summary>
    public void Release(ModelLease lease)
    {
        _leases.TryRemove(lease, out _);
        lease.Dispose();
        Change();
    }

    /// <summary>What is to be said of a model.</summary>
    public async Task<SiloReport> ReportAsync(string model, SiloAddress silo, string name, long version)
    {
        IReadOnlyList<ModelStatus> all = _host.Models;
        ModelTasks tasks = all.First(one => one.Id == model).Tasks;
        bool isDecoder = tasks.HasFlag(ModelTasks.Generation);
        (GenerationEngine? engine, EncoderEngine? encoder) = _host.LookAt(model);
        (GenerationEngineState? state, EncoderEngineState? texts) = (engine?.State, encoder?.State);
        return new SiloReport
        {
            Silo = silo, Name = name, Version = version, Fingerprint = await FingerprintOf(model).ConfigureAwait(false), KernelLevel = KernelLevel,
            IsLoaded = engine is not null || encoder is not null, Running = state?.Running.Count ?? texts?.Running ?? 0,
            Waiting = state?.Waiting ?? texts?.Waiting ?? _arriving.GetValueOrDefault(model),
            NeededBytes = _host.BytesOf(model), FreeBytes = MemoryBytes - all.Where(other => other.Users > 0).Sum(other => other.Bytes),
            Prefixes = engine is null ? [] : PrefixBlocks.Of(engine.HeldPrompts, Options.MaxReportedBlocks), Interval = Options.ReportInterval,
            Rows = Options.Host.Generation.MaxRows, Queue = isDecoder ? Options.Host.Generation.MaxQueue : Options.Host.Encoder.MaxQueue,
            Tasks = (int)tasks, Generation = state is null ? null : OptionsJson.WriteAny(state),
            Encoder = texts is null ? null : OptionsJson.WriteAny(texts),
        };
    }

    /// <summary>How a model's requests end when the silo stops.</summary>
    public ModelDrain DrainOf(string model) => _drains.GetOrAdd(model, _ => new ModelDrain());

    /// <summary>Waits until nobody uses a model.</summary>
    public async Task UntilUnusedAsync(string model, CancellationToken cancellationToken)
    {
        while (_leases.Values.Contains(model))
            await Task.Delay(s_pause, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Has the silo tell the directories what it has.</summary>
    public void Change() => _changed.Writer.TryWrite(true);

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_drains.Values.Select(drain => drain.EndAllAsync())).ConfigureAwait(false);
        // Nobody may ask a grain of this silo for more any more.
        foreach (ModelLease lease in _leases.Keys)
            lease.Dispose();
        await _host.DisposeAsync().ConfigureAwait(false);
        foreach (ModelDrain drain in _drains.Values)
            drain.Dispose();
    }

    // Computed once for the same files: they may be replaced by those of another version while the silo runs, which count when the model is loaded next.
    private async Task<ModelVersion> VersionOfAsync(string model)
    {
        ModelVersion known = await ReadVersionAsync(model).ConfigureAwait(false);
        if (known.Files.Same(_host.FilesOf(model) ?? ModelFileStamps.Of(_host.DirectoryOf(model))))
            return known;
        _versions.TryRemove(model, out _);
        known = await ReadVersionAsync(model).ConfigureAwait(false);
        if (_host.FilesOf(model) is ModelFileStamps loaded && !known.Files.Same(loaded))
            _host.UnloadAsync(model).Ignore();                     // what it was loaded from is there no more, and cannot be told
        return known;
    }

    // What could not be read is tried again.
    private async Task<ModelVersion> ReadVersionAsync(string model)
    {
        Task<ModelVersion> version = _versions.GetOrAdd(model, static (id, all) => all.ComputeVersionAsync(id), this);
        try
        {
            return await version.ConfigureAwait(false);
        }
        catch (Exception)
        {
            _versions.TryRemove(new KeyValuePair<string, Task<ModelVersion>>(model, version));
            throw;
        }
    }

    private async Task<ModelVersion> ComputeVersionAsync(string model)
    {
        string directory = _host.DirectoryOf(model);
        var files = ModelFileStamps.Of(directory);
        CheckpointFiles read = await CheckpointFiles.ReadAsync(directory, Settings, withContents: false, CancellationToken.None).ConfigureAwait(false);
        return new ModelVersion(read.Fingerprint, files);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Model} cannot be loaded; who asks for it tries again.")]
    private static partial void CannotLoad(ILogger log, string model, Exception error);

    /// <param name="Fingerprint">Whether two silos give the same texts.</param>
    /// <param name="Files">Of which files.</param>
    private sealed record ModelVersion(string Fingerprint, ModelFileStamps Files);
}
