namespace ManagedTransformers.Serving;

/// <summary>The pipelines of a model: a generator of a decoder; of any other model those for all that it can do, over one set of weights.</summary>
internal sealed class ModelPipelines : IDisposable
{
    // Those that share the weights of the first come after it.
    private readonly List<Pipeline> _all = [];

    private ModelPipelines()
    {
    }

    /// <summary>Of a decoder; null where the model is none.</summary>
    public TextGenerator? Generator { get; private set; }

    /// <summary>One of them.</summary>
    public Pipeline First => _all[0];

    /// <summary>Of any other model.</summary>
    public IReadOnlyList<EncoderPipeline> Encoders { get; private set; } = [];

    /// <exception cref="ManagedTransformersException">A file is missing or broken, or names what this runtime does not have.</exception>
    public static ModelPipelines Open(ModelFiles files, ModelTasks tasks, PipelineOptions options)
    {
        var pipelines = new ModelPipelines();
        try
        {
            if (tasks.HasFlag(ModelTasks.Generation))
                pipelines.Generator = pipelines.Keep(TextGenerator.Open(files, options));
            else
                pipelines.Encoders = pipelines.OpenEncoders(files, tasks, options);
            return pipelines;
        }
        catch
        {
            pipelines.Dispose();
            throw;
        }
    }

    /// <summary>Those of a checkpoint's directory without its weights: they encode, plan and count, and cannot run.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static ModelPipelines WithoutWeights(string directory, ModelTasks tasks, PipelineOptions options) =>
        Open(ModelFiles.In(directory), tasks, WithoutWeights(options));

    /// <summary>The same of small files in memory.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static ModelPipelines WithoutWeights(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, ModelTasks tasks, PipelineOptions options) =>
        Open(ModelFiles.Of(files), tasks, WithoutWeights(options));

    private static PipelineOptions WithoutWeights(PipelineOptions options) => options with { Load = options.Load with { SkipWeights = true } };

    public void Dispose()
    {
        for (int i = _all.Count - 1; i >= 0; i--)
            _all[i].Dispose();
    }

    private EncoderPipeline[] OpenEncoders(ModelFiles files, ModelTasks tasks, PipelineOptions options)
    {
        if (tasks.HasFlag(ModelTasks.FillMask))
        {
            FillMaskPipeline first = Keep(FillMaskPipeline.Open(files, options));
            return [first, Keep(SentenceEmbeddingPipeline.Create(first)), Keep(FeatureExtractionPipeline.Create(first))];
        }
        if (tasks.HasFlag(ModelTasks.TextClassification))
        {
            TextClassificationPipeline first = Keep(TextClassificationPipeline.Open(files, options));
            return tasks.HasFlag(ModelTasks.Rerank) ? [first, Keep(RerankPipeline.Create(first))] : [first];
        }
        if (tasks.HasFlag(ModelTasks.TokenClassification))
            return [Keep(TokenClassificationPipeline.Open(files, options))];
        if (tasks.HasFlag(ModelTasks.Embedding))
        {
            SentenceEmbeddingPipeline first = Keep(SentenceEmbeddingPipeline.Open(files, options));
            return [first, Keep(FeatureExtractionPipeline.Create(first))];
        }
        throw new ConfigException($"The class that {files.Place ?? files.Name}/config.json names (architectures) does nothing that is served.");
    }

    private T Keep<T>(T pipeline) where T : Pipeline
    {
        _all.Add(pipeline);
        return pipeline;
    }
}
