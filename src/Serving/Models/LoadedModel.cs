namespace ManagedTransformers.Serving;

/// <summary>A model in memory, with the engines over it.</summary>
internal sealed class LoadedModel
{
    // Those that share the weights of the first come after it.
    private readonly List<Pipeline> _pipelines = [];

    private LoadedModel(long bytes)
    {
        Bytes = bytes;
    }

    public long Bytes { get; }
    public GenerationEngine? Generation { get; private set; }
    public EncoderEngine? Encoder { get; private set; }

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
        var model = new LoadedModel(bytes);
        try
        {
            if (tasks.HasFlag(ModelTasks.Generation))
                model.Generation = new GenerationEngine(model.Keep(TextGenerator.Load(directory, options)), host.Generation);
            else
                model.Encoder = new EncoderEngine(model.OpenEncoders(directory, tasks, options), host.Encoder);
            return model;
        }
        catch
        {
            model.DisposePipelines();
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
            DisposePipelines();
        }
    }

    private EncoderPipeline[] OpenEncoders(string directory, ModelTasks tasks, PipelineOptions options)
    {
        if (tasks.HasFlag(ModelTasks.FillMask))
        {
            FillMaskPipeline first = Keep(FillMaskPipeline.Load(directory, options));
            return [first, Keep(SentenceEmbeddingPipeline.Create(first)), Keep(FeatureExtractionPipeline.Create(first))];
        }
        if (tasks.HasFlag(ModelTasks.TextClassification))
        {
            TextClassificationPipeline first = Keep(TextClassificationPipeline.Load(directory, options));
            return tasks.HasFlag(ModelTasks.Rerank) ? [first, Keep(RerankPipeline.Create(first))] : [first];
        }
        if (tasks.HasFlag(ModelTasks.TokenClassification))
            return [Keep(TokenClassificationPipeline.Load(directory, options))];
        if (tasks.HasFlag(ModelTasks.Embedding))
        {
            SentenceEmbeddingPipeline first = Keep(SentenceEmbeddingPipeline.Load(directory, options));
            return [first, Keep(FeatureExtractionPipeline.Create(first))];
        }
        throw new ConfigException($"The class that {directory}/config.json names (architectures) does nothing that is served.");
    }

    private T Keep<T>(T pipeline) where T : Pipeline
    {
        _pipelines.Add(pipeline);
        return pipeline;
    }

    private void DisposePipelines()
    {
        for (int i = _pipelines.Count - 1; i >= 0; i--)
            _pipelines[i].Dispose();
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

    /// <summary>Ends the use. The engines are not to be used by this lease afterwards.</summary>
    public void Dispose() => Interlocked.Exchange(ref _end, null)?.Invoke();
}
