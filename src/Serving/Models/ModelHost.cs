using System.Runtime.ExceptionServices;
using ManagedTransformers.Hub;

namespace ManagedTransformers.Serving;

/// <summary>Several models, each loaded when it is first asked for, within a limit of memory. Thread-safe.</summary>
/// <remarks>Who asks gets a lease, and the model stays until its last lease is disposed. Where another model needs the room, the one that nobody uses and that
/// was used longest ago is unloaded.</remarks>
/// <example><code>
/// await using var host = new ModelHost(new ModelHostOptions { Models = ["models/demo-embed", "models/demo-codegen"] });
/// using ModelLease model = await host.AcquireAsync("demo-embed");
/// IReadOnlyList&lt;TextEmbedding> embeddings = await model.Encoder!.EmbedAsync(["def add(a, b): return a + b"]);
/// </code></example>
public sealed class ModelHost : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _oneLoad = new(1);
    private readonly Entry[] _entries;
    private readonly ModelHostOptions _options;
    private long _leases;
    private bool _disposed;

    /// <summary>Takes the names of models; their files are read later.</summary>
    /// <exception cref="ArgumentException">There is no model, or two have one name.</exception>
    public ModelHost(ModelHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _entries = [.. options.Models.Select(source => new Entry(source, options.Cache))];
        if (_entries.Length == 0)
            throw new ArgumentException("There is no model; at least one is needed.", nameof(options));
        if (_entries.GroupBy(entry => entry.Id).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"{string.Join(" and ", twice.Select(entry => entry.Source))} are both called {twice.Key}. Rename one of the " +
                "directories.", nameof(options));
        // With a limit, what caches may take is known before a model is loaded.
        _options = options.MemoryBytes is long limit && options.Generation.CacheBytes is null
            ? options with { Generation = options.Generation with { CacheBytes = limit / 4 } }
            : options;
    }

    /// <summary>The models, in the order in which they were given.</summary>
    public IReadOnlyList<ModelStatus> Models => [.. _entries.Select(StateOf)];

    /// <summary>Bytes of weights and caches of the models in memory.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
                return _entries.Sum(entry => entry.Reserved);
        }
    }

    /// <summary>What a model's config.json says, loaded or not; null: there is no such model, or the file cannot be read.</summary>
    internal PretrainedConfig? ConfigOf(string id)
    {
        try
        {
            return Array.Find(_entries, entry => entry.Id == id)?.FindDirectory() is string directory ? CheckpointSummary.ReadConfig(directory) : null;
        }
        catch (Exception e) when (e is ManagedTransformersException or IOException)
        {
            return null;
        }
    }

    /// <summary>Where a model's files are.</summary>
    /// <exception cref="UnknownModelException">There is no such model.</exception>
    internal string DirectoryOf(string id) => Find(id).FindDirectory();

    /// <summary>What a model takes in memory, loaded or not, as <see cref="MakeRoomAsync"/> counts it.</summary>
    internal long BytesOf(string id)
    {
        CheckpointSummary summary = Find(id).Summarize();
        return summary.WeightBytes + (summary.Tasks.HasFlag(ModelTasks.Generation) ? _options.Generation.CacheBytes ?? 0 : 0);
    }

    /// <summary>The engines of a model that is in memory, to look at what they do, not to use them: without a lease they may end at any time. Nothing is
    /// loaded for it.</summary>
    internal (GenerationEngine? Generation, EncoderEngine? Encoder) LookAt(string id)
    {
        lock (_gate)
        {
            LoadedModel? model = Array.Find(_entries, entry => entry.Id == id)?.Loaded;
            return (model?.Generation, model?.Encoder);
        }
    }

    /// <summary>What a model that is in memory was loaded from; null: it is not in memory.</summary>
    internal ModelFileStamps? FilesOf(string id)
    {
        lock (_gate)
            return Array.Find(_entries, entry => entry.Id == id)?.Loaded?.Files;
    }

    /// <summary>Gives a model to use, which is loaded where it is not in memory; many who ask wait for one load.</summary>
    /// <param name="id">What it is called; null or empty: the first one.</param>
    /// <param name="progress">Told where the load stands.</param>
    /// <param name="cancellationToken">Ends the waiting; a load that has begun goes on for others.</param>
    /// <returns>A lease; dispose it after the last use.</returns>
    /// <exception cref="UnknownModelException">There is no such model.</exception>
    /// <exception cref="ModelLoadException">It cannot be loaded, or is larger than the limit.</exception>
    /// <exception cref="EngineBusyException">There is no room while others are in use.</exception>
    /// <exception cref="ObjectDisposedException">The host was disposed.</exception>
    public async Task<ModelLease> AcquireAsync(string? id = null, IProgress<ModelStage>? progress = null, CancellationToken cancellationToken = default)
    {
        Entry entry = Find(id);
        Listener? listener = progress is null ? null : new Listener(progress);
        while (true)
        {
            Task wait;
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (entry.Loaded is { IsClosing: false } model)
                {
                    model.Users++;
                    model.LastUsed = ++_leases;
                    return new ModelLease(entry.Id, entry.Summary!.Tasks, model, () => Release(entry, model));
                }
                if (entry.Loaded is null && listener is not null)
                    entry.Progress += listener.Report;
                wait = entry.Loaded?.Gone.Task ?? (entry.Loading ??= Task.Run(() => LoadAsync(entry), CancellationToken.None).Unwatched());
            }
            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
            listener?.ThrowIfFailed();
        }
    }

    /// <summary>Unloads a model, and returns when its last user has gone and it is out of memory. Who asks for it meanwhile waits, and loads it
    /// again.</summary>
    /// <exception cref="UnknownModelException">There is no such model.</exception>
    public Task UnloadAsync(string id)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        Entry entry = Find(id);
        lock (_gate)
            return entry.Loaded is null ? Task.CompletedTask : Close(entry, entry.Loaded);
    }

    /// <summary>Gives no more leases, and returns when all models are out of memory: when the last lease was disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _disposed = true;
        await _oneLoad.WaitAsync().ConfigureAwait(false);           // no load runs
        try
        {
            Task[] gone;
            lock (_gate)
                gone = [.. _entries.Where(entry => entry.Loaded is not null).Select(entry => Close(entry, entry.Loaded!))];
            await Task.WhenAll(gone).ConfigureAwait(false);
        }
        finally
        {
            _oneLoad.Release();
        }
    }

    private Entry Find(string? id)
    {
        if (string.IsNullOrEmpty(id))
            return _entries[0];
        return Array.Find(_entries, entry => entry.Id == id) ?? throw new UnknownModelException(
            $"There is no model \"{id}\". The nearest of {_entries.Length}: {NearestNames.Of(id, _entries.Select(entry => entry.Id))}.");
    }

    private ModelStatus StateOf(Entry entry)
    {
        ModelTasks tasks = ModelTasks.None;
        string? unreadable = null;
        try
        {
            tasks = entry.Summarize().Tasks;
        }
        catch (Exception e) when (e is ManagedTransformersException or IOException or UnauthorizedAccessException)
        {
            unreadable = e.Message;
        }
        lock (_gate)
            return new ModelStatus(entry.Id, entry.Stage, tasks, entry.Reserved, entry.Loaded?.Users ?? 0, unreadable ?? entry.Problem);
    }

    private async Task LoadAsync(Entry entry)
    {
        Report(entry, ModelStage.MakingRoom);
        await _oneLoad.WaitAsync().ConfigureAwait(false);
        try
        {
            CheckpointSummary summary = entry.Summarize();
            long bytes = BytesOf(entry.Id);
            await MakeRoomAsync(entry, summary.WeightBytes, bytes).ConfigureAwait(false);
            Report(entry, ModelStage.Loading);
            PipelineOptions options = _options.Pipeline with { ModelId = entry.Id };
            End(entry, LoadedModel.Load(entry.FindDirectory(), summary.Tasks, bytes, options, _options), problem: null);
        }
        catch (Exception e) when (e is not (EngineBusyException or ModelLoadException or ObjectDisposedException))
        {
            End(entry, model: null, e.Message);
            throw new ModelLoadException($"The model {entry.Id} cannot be loaded: {e.Message}", e);
        }
        catch (Exception e)
        {
            End(entry, model: null, e.Message);
            throw;
        }
        finally
        {
            _oneLoad.Release();
        }
    }

    private void End(Entry entry, LoadedModel? model, string? problem)
    {
        Action<ModelStage>? progress;
        lock (_gate)
        {
            (entry.Loaded, entry.Problem, entry.Loading) = (model, problem, null);
            entry.Reserved = model?.Bytes ?? 0;
            entry.Stage = model is null ? ModelStage.Unloaded : ModelStage.Loaded;
            if (model is not null)
                model.LastUsed = ++_leases;
            (progress, entry.Progress) = (entry.Progress, null);
        }
        progress?.Invoke(model is null ? ModelStage.Unloaded : ModelStage.Loaded);
    }

    private void Report(Entry entry, ModelStage stage)
    {
        Action<ModelStage>? progress;
        lock (_gate)
            (entry.Stage, progress) = (stage, entry.Progress);
        progress?.Invoke(stage);
    }

    /// <summary>Unloads what was used longest ago, until a model fits. One load runs at a time, so that nobody else takes the room.</summary>
    private async Task MakeRoomAsync(Entry entry, long weights, long bytes)
    {
        while (true)
        {
            Task gone;
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                long limit = _options.MemoryBytes ?? long.MaxValue, used = _entries.Sum(other => other.Reserved);
                if (bytes > limit)
                    throw new ModelLoadException($"The model {entry.Id} needs {bytes} bytes ({weights} of weights, {bytes - weights} of caches); the limit " +
                        $"is {limit} (MemoryBytes). Raise it, or give the caches less (CacheBytes).");
                if (used + bytes <= limit)
                {
                    entry.Reserved = bytes;
                    return;
                }
                // First those that go anyway.
                Entry? victim = Array.Find(_entries, other => other.Loaded is { IsClosing: true, Users: 0 })
                    ?? _entries.Where(other => other.Loaded is { Users: 0 }).MinBy(other => other.Loaded!.LastUsed);
                if (victim is null)
                    throw new EngineBusyException($"The model {entry.Id} needs {bytes} bytes, and {limit - used} of {limit} are free (MemoryBytes): " +
                        $"{string.Join(", ", _entries.Where(other => other.Loaded is not null).Select(other => other.Id))} are in use. Try again later.");
                gone = Close(victim, victim.Loaded!);
            }
            await gone.ConfigureAwait(false);
        }
    }

    /// <summary>Lets a model go as soon as nobody uses it; under the lock.</summary>
    private Task Close(Entry entry, LoadedModel model)
    {
        if (!model.IsClosing)
        {
            (model.IsClosing, entry.Stage) = (true, ModelStage.Unloading);
            if (model.Users == 0)
                _ = Task.Run(() => UnloadAsync(entry, model));
        }
        return model.Gone.Task;
    }

    private void Release(Entry entry, LoadedModel model)
    {
        lock (_gate)
        {
            model.LastUsed = ++_leases;
            if (--model.Users > 0 || !model.IsClosing)
                return;
        }
        _ = Task.Run(() => UnloadAsync(entry, model));
    }

    private async Task UnloadAsync(Entry entry, LoadedModel model)
    {
        Exception? error = null;
        try
        {
            await model.UnloadAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            error = e;
        }
        lock (_gate)
            (entry.Loaded, entry.Reserved, entry.Stage, entry.Problem) = (null, 0, ModelStage.Unloaded, error?.Message);
        model.Gone.SetResult();
    }

    /// <summary>Who is told where a load stands. What it throws is its own caller's: the load is everybody's and goes on.</summary>
    private sealed class Listener(IProgress<ModelStage> progress)
    {
        private ExceptionDispatchInfo? _error;

        public void Report(ModelStage stage)
        {
            try
            {
                progress.Report(stage);
            }
            catch (Exception e)
            {
                _error ??= ExceptionDispatchInfo.Capture(e);
            }
        }

        public void ThrowIfFailed() => _error?.Throw();
    }

    /// <summary>A model of the host, in memory or not; the lock guards all but its summary.</summary>
    private sealed class Entry(string source, HubCache? cache)
    {
        private readonly string? _directory = IsHubName(source) ? null : Path.GetFullPath(source);
        private CheckpointSummary? _summary;

        public string Source => source;
        public string Id { get; } = IsHubName(source) ? source : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        public ModelStage Stage { get; set; }
        public LoadedModel? Loaded { get; set; }
        public Task? Loading { get; set; }
        public long Reserved { get; set; }
        public string? Problem { get; set; }
        public Action<ModelStage>? Progress { get; set; }
        public CheckpointSummary? Summary => Volatile.Read(ref _summary);

        public string FindDirectory() => _directory ?? (cache ?? HubCache.Default).Find(source);

        /// <summary>What the files say; read again until they could be read.</summary>
        public CheckpointSummary Summarize()
        {
            if (Summary is { } known)
                return known;
            string directory = FindDirectory();
            if (!Directory.Exists(directory))
                throw new DirectoryNotFoundException($"There is no directory {directory}. Give a checkpoint's directory, or org/name of a model in the hub's " +
                    "cache.");
            CheckpointSummary read = CheckpointSummary.Read(directory);
            Volatile.Write(ref _summary, read);
            return read;
        }

        /// <summary>org/name, where no such directory is there.</summary>
        private static bool IsHubName(string source)
        {
            ArgumentException.ThrowIfNullOrEmpty(source);
            string[] parts = source.Split('/');
            return parts.Length == 2 && parts[0].Length > 0 && parts[0] is not ("." or "..") && parts[1].Length > 0 && !Directory.Exists(source);
        }
    }
}
