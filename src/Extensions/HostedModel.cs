using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ManagedTransformers.Extensions.AI;

/// <summary>A model of an app: loaded once, without blocking anybody who does not need it, and watched while it is used. Thread-safe.</summary>
public abstract class HostedModel : IDisposable
{
    private const int ReadSize = 1 << 20;

    private readonly ILogger _logger;
    private readonly CancellationTokenSource _disposing = new();
    private volatile string? _difference, _fingerprint;

    private protected HostedModel(string directory, PipelineKind kind, HostedModelOptions? options, string? name, ILoggerFactory? loggers)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        (Places, Kind, Options) = ([Path.GetFullPath(directory)], kind, options ?? new HostedModelOptions());
        Name = name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Places[0]));
        _logger = (loggers ?? NullLoggerFactory.Instance).CreateLogger("ManagedTransformers");
    }

    /// <summary>What logs, metrics and the health check call it: its service key, else the directory's last part.</summary>
    public string Name { get; }

    /// <summary>The checkpoint's directory, absolute: of the places where an app's model may be the first that is there, else the first.</summary>
    public string Directory => Places.FirstOrDefault(System.IO.Directory.Exists) ?? Places[0];

    /// <summary>Where the directory is looked for, each time that the model is loaded.</summary>
    internal IReadOnlyList<string> Places { get; init; }

    /// <summary>What <see cref="Pipeline.ModelId"/> will be, before the model is loaded.</summary>
    internal string ModelId =>
        Options.Pipeline?.ModelId ?? DirectoryRoots.HubName(Directory) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Directory));

    /// <summary>How it is held.</summary>
    public HostedModelOptions Options { get; }

    /// <summary>What it is doing.</summary>
    public HostedModelState State => _difference is not null ? HostedModelState.Changed : LoadState;

    /// <summary>How far loading is; null before it begins.</summary>
    public ModelLoadProgress? Progress { get; private set; }

    /// <summary>How long the last loading took; null: it has not ended.</summary>
    public TimeSpan? LoadTime { get; private set; }

    /// <summary>Why it could not be loaded the last time; null: it could, or nobody tried.</summary>
    public Exception? LoadError { get; private set; }

    private protected HostedModelState LoadState { get; set; }
    private protected ModelFileStamps? Stamps { get; set; }
    private protected bool IsDisposed => _disposing.IsCancellationRequested;
    internal PipelineKind Kind { get; }

    /// <summary>What tells its files from those of others, before the model is loaded too; empty while there is no such directory.</summary>
    internal string FilesFingerprint => (_fingerprint ??= FingerprintNow()) ?? "";
    internal ILogger Logger => _logger;

    /// <summary>Loads the model where nobody has done so, and waits until it is there.</summary>
    /// <param name="cancellationToken">Ends the waiting; the loading goes on for others.</param>
    /// <inheritdoc cref="FillMaskPipeline.Load"/>
    public abstract Task LoadAsync(CancellationToken cancellationToken = default);

    /// <summary>Looks whether the files are still those that were loaded: length and time of each, microseconds per file.</summary>
    /// <returns>What is no longer as it was; null: nothing, or nothing is loaded yet.</returns>
    public string? FindChange()
    {
        if (_difference is null && LoadState == HostedModelState.Ready && Stamps?.Difference() is string difference)
        {
            _difference = difference;
            ModelLog.Changed(_logger, Name, difference);
        }
        return _difference;
    }

    /// <summary>Gives the model back. Calls of <see cref="HostedPipeline{TPipeline}"/> and of an embedding generator's batch that run finish, and those that
    /// wait throw <see cref="ObjectDisposedException"/>, as does a call on a pipeline that was taken out by itself; a loading that runs is given up.</summary>
    public void Dispose()
    {
        _disposing.Cancel();
        DisposePipeline();
        GC.SuppressFinalize(this);
    }

    private protected abstract void DisposePipeline();

    /// <summary>What a call gets that comes too late.</summary>
    internal ObjectDisposedException Disposed() =>
        new(Name, $"The model {Name} was disposed, as the app's services were. Calls that ran finished; this one had not begun, or had more to do.");

    /// <exception cref="ModelChangedException">The files are no longer those that were loaded.</exception>
    private protected void RequireUnchanged()
    {
        if (FindChange() is string difference)
            throw new ModelChangedException($"The model {Name} changed on disk while it was in use: {difference}. Its answers could be of either version. " +
                "Put a new version into a directory of its own, and start the app again.");
    }

    private string? FingerprintNow()
    {
        try
        {
            return System.IO.Directory.Exists(Directory) ? ModelFileStamps.Of(Directory).Fingerprint() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;                            // loading says what is wrong
        }
    }

    /// <summary>Reads, opens and warms up, and says so.</summary>
    private protected Pipeline LoadNow()
    {
        (LoadState, LoadError) = (HostedModelState.Loading, null);
        ModelLog.Loading(_logger, Name, Directory);
        long start = Stopwatch.GetTimestamp();
        using Activity? activity = ModelTelemetry.Source.StartActivity($"load {Name}");
        Pipeline? pipeline = null;
        try
        {
            string directory = ModelDirectories.Require(Places, Name);
            (Stamps, _fingerprint) = (ModelFileStamps.Of(directory), null);
            long bytes = ReadThrough(Stamps.WeightFiles);
            Report(ModelLoadStage.Opening, bytes, bytes);
            pipeline = Kind.Load(directory, WithLog(Options.Pipeline));
            _disposing.Token.ThrowIfCancellationRequested();
            Report(ModelLoadStage.WarmingUp, bytes, bytes);
            RunOnce(pipeline);
            LoadTime = Stopwatch.GetElapsedTime(start);
            LoadState = HostedModelState.Ready;
            Report(ModelLoadStage.Ready, bytes, bytes);
        }
        catch (Exception e)
        {
            pipeline?.Dispose();
            (LoadState, LoadError, LoadTime) = (HostedModelState.Failed, e, Stopwatch.GetElapsedTime(start));
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
            ModelTelemetry.Loaded(Name, LoadTime.Value, e);
            if (!IsDisposed)
                ModelLog.LoadFailed(_logger, e, Name, Directory);
            throw;
        }
        ModelTelemetry.Loaded(Name, LoadTime.Value, error: null);
        KernelOptions kernels = pipeline.Model.LoadOptions.Kernels;
        ModelLog.Loaded(_logger, Name, (long)LoadTime.Value.TotalMilliseconds, pipeline.Model.Architecture, kernels.Level, kernels.MaxThreads);
        return pipeline;
    }

    /// <summary>Reads the weights once from disk, so that the first call does not wait for the pages of the mapping one by one.</summary>
    private long ReadThrough(IReadOnlyList<string> files)
    {
        long total = files.Sum(file => new FileInfo(file).Length), read = 0;
        Report(ModelLoadStage.Reading, read, total);
        var buffer = new byte[ReadSize];
        foreach (string file in files)
        {
            using var stream = new FileStream(
                file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
            for (int count = stream.Read(buffer); count > 0; count = stream.Read(buffer))
            {
                _disposing.Token.ThrowIfCancellationRequested();
                Report(ModelLoadStage.Reading, read += count, total);
            }
        }
        return read;
    }

    private void RunOnce(Pipeline pipeline)
    {
        try
        {
            Kind.WarmUp(pipeline, Options);
        }
        catch (ModelInputException e)               // a vocabulary that has nothing of the text
        {
            ModelLog.WarmUpRefused(_logger, e, Name);
        }
    }

    private PipelineOptions WithLog(PipelineOptions? options)
    {
        options ??= PipelineOptions.Default;
        Action<string>? others = options.Load.OnWarning;
        return options with
        {
            Load = options.Load with
            {
                OnWarning = warning =>
                {
                    ModelLog.Warning(_logger, Name, warning);
                    others?.Invoke(warning);
                },
            },
        };
    }

    private void Report(ModelLoadStage stage, long read, long total)
    {
        Progress = new ModelLoadProgress(Name, stage, read, total);
        Options.Progress?.Report(Progress);
    }
}
