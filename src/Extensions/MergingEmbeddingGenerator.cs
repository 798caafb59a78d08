using Microsoft.Extensions.AI;

namespace ManagedTransformers.Extensions.AI;

/// <summary>An embedding generator for many callers at once: an <see cref="EncoderEngine"/> over a model that is loaded by who needs it first.</summary>
/// <remarks>What arrives while a batch runs becomes the next batch. Each batch takes one of the places of the hosted pipeline, which looks at its files
/// then.</remarks>
internal sealed class MergingEmbeddingGenerator(HostedPipeline<SentenceEmbeddingPipeline> model) : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly Lock _gate = new();
    private EncoderEngine? _engine;
    private bool _disposed;

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        cancellationToken.ThrowIfCancellationRequested();
        // Waiting for the model is a part of the call.
        using ModelTelemetry.ModelOperation operation = ModelTelemetry.Begin(model.Kind.Operation, model.Name);
        try
        {
            string[] texts = [.. values];
            if (texts.Length == 0)
                return [];
            EncoderEngine engine = _engine ?? EngineOver(await model.GetAsync(cancellationToken).ConfigureAwait(false));
            SentenceEmbeddingPipeline pipeline = engine.Find<SentenceEmbeddingPipeline>()!;
            EmbeddingOptions own = pipeline.OptionsOf(options, this, model.Options.Embedding);
            IReadOnlyList<TextEmbedding> made = await engine.MeasuredAs(operation).EmbedAsync(texts, own, cancellationToken).ConfigureAwait(false);
            return pipeline.Generated(made.Select(one => one.Vector), made.Sum(one => (long)one.Tokens));
        }
        catch (Exception e)
        {
            operation.Failed(e);
            throw;
        }
    }

    /// <summary>Metadata are the model's, which is loaded for them; the pipeline is given as well.</summary>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType.IsInstanceOfType(this))
            return this;
        if (serviceType.IsInstanceOfType(model))
            return model;
        if (serviceType != typeof(EmbeddingGeneratorMetadata) && !serviceType.IsAssignableFrom(typeof(SentenceEmbeddingPipeline)))
            return null;
        IEmbeddingGenerator pipeline = model.GetAsync().GetAwaiter().GetResult();
        return pipeline.GetService(serviceType) is EmbeddingGeneratorMetadata made && pipeline is SentenceEmbeddingPipeline embedding
            ? new EmbeddingGeneratorMetadata(made.ProviderName, made.ProviderUri, made.DefaultModelId, embedding.DimensionsOf(model.Options.Embedding))
            : pipeline.GetService(serviceType);
    }

    /// <summary>Takes no more calls, and fails those that wait. The model is its owner's.</summary>
    public void Dispose()
    {
        lock (_gate)
            _disposed = true;
        _engine?.Close();
    }

    private EncoderEngine EngineOver(SentenceEmbeddingPipeline pipeline)
    {
        lock (_gate)
        {
            if (_disposed)
                throw model.Disposed();
            // An app's callers wait as long as they like; who wants fewer puts a limit around it.
            var options = new EncoderEngineOptions { MaxBatchTexts = model.Options.MaxBatchSize, MaxQueue = int.MaxValue };
            return _engine ??= new EncoderEngine([pipeline], options, new EncoderHosting
            {
                MaxConcurrency = model.Options.MaxConcurrency ?? 1,
                EnterAsync = async () => await model.EnterAsync(CancellationToken.None).ConfigureAwait(false),
                OnBatch = (texts, calls) => ModelLog.Batch(model.Logger, model.Name, texts, calls),
                Disposed = model.Disposed,
            });
        }
    }
}
