namespace ManagedTransformers.Serving;

/// <summary>A model in memory, with the engines over it.</summary>
internal sealed class LoadedModel
{
    private readonly ModelPipelines _pipelines;

    private LoadedModel(ModelPipelines pipelines, ModelFileStamps files, long bytes, ModelHostOptions host)
    {
        (_pipelines, Files, Bytes) = (pipelines, files, bytes);
        if (pipelines.Generator is not null)
            Generation = new GenerationEngine(pipelines.Generator, host.Generation);
        else
            Encoder = new EncoderEngine(pipelines.Encoders, host.Encoder);
    }

    /// <summary>What it was loaded from.</summary>
    public ModelFileStamps Files { get; }

    public long Bytes { get; }
    public GenerationEngine? Generation { get; }
    public EncoderEngine? Encoder { get; }

    /// <summary>Leases that are out; the host's lock guards it.</summary>
    public int Users { get; set; }

    /// <summary>When it was last used, in the host's count of leases.</summary>
    public long LastUsed { get; set; }

    /// <summary>Whether it gets no more users.</summary>
    public bool IsClosing { get; set; }

    /// <summary>Done when it is out of memory.</summary>
    public TaskCompletionSource Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static LoadedModel Load(string directory, ModelTasks tasks, long bytes, PipelineOptions options, ModelHostOptions host)
    {
        var files = ModelFileStamps.Of(directory);
        ModelPipelines pipelines = ModelPipelines.Open(ModelFiles.In(directory), tasks, options);
        try
        {
            return files.Difference() is string changed
                ? throw new ModelLoadException($"Files changed while they were loaded: {changed}. Put the files of another version there by one rename " +
                    "of the directory, and try again.")
                : new LoadedModel(pipelines, files, bytes, host);
        }
        catch
        {
            pipelines.Dispose();
            throw;
        }
    }

    public async Task UnloadAsync()
    {
        try
        {
            if (Generation is not null)
                await Generation.DisposeAsync().ConfigureAwait(false);
            if (Encoder is not null)
                await Encoder.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _pipelines.Dispose();
        }
    }
}

/// <summary>A model in use: it stays in memory until all its leases are disposed.</summary>
public sealed class ModelLease : IDisposable
{
    private readonly LoadedModel _model;
    private Action? _end;

    internal ModelLease(string id, ModelTasks tasks, LoadedModel model, Action end)
    {
        (Id, Tasks, _model, _end) = (id, tasks, model, end);
    }

    /// <summary>What the model is called.</summary>
    public string Id { get; }

    /// <summary>What it can do.</summary>
    public ModelTasks Tasks { get; }

    /// <summary>The engine of a decoder; null where the model is none.</summary>
    public GenerationEngine? Generation => _model.Generation;

    /// <summary>The engine of any other model; null for a decoder.</summary>
    public EncoderEngine? Encoder => _model.Encoder;

    /// <summary>What the model was loaded from.</summary>
    internal ModelFileStamps Files => _model.Files;

    /// <summary>Ends the use. The engines are not to be used by this lease afterwards.</summary>
    public void Dispose() => Interlocked.Exchange(ref _end, null)?.Invoke();
}
