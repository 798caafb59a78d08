using Microsoft.Extensions.AI;

namespace ManagedTransformers.Extensions.AI;

/// <summary>An embedding generator for many callers at once: what arrives while a batch runs becomes the next batch.</summary>
/// <remarks>Nobody waits for others to come: a call that finds the model idle starts at once. Texts of a long call go in several batches, with those of
/// other callers between them. A call that is cancelled is over at once; a call whose texts cannot be read fails alone.</remarks>
internal sealed class MergingEmbeddingGenerator(HostedPipeline<SentenceEmbeddingPipeline> model) : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly Lock _gate = new();
    private readonly LinkedList<EmbeddingCall> _waiting = new();
    private readonly int _maxRunners = model.Options.MaxConcurrency ?? 1;
    private int _runners;
    private bool _disposed;

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        cancellationToken.ThrowIfCancellationRequested();
        using ModelTelemetry.ModelOperation operation = ModelTelemetry.Begin(model.Kind.Operation, model.Name);
        try
        {
            string[] texts = [.. values];
            if (texts.Length == 0)
                return [];
            var call = new EmbeddingCall(texts, KeyOf(options), cancellationToken);
            Enqueue(call);
            GeneratedEmbeddings<Embedding<float>> result = await call.Result.ConfigureAwait(false);
            operation.SetTag("gen_ai.usage.input_tokens", result.Usage?.InputTokenCount);
            operation.SetTag("gen_ai.response.model", result[0].ModelId);
            operation.SetTag("gen_ai.embeddings.dimension.count", result[0].Vector.Length);
            return result;
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
        FailWaiting(model.Disposed());
    }

    private BatchKey KeyOf(EmbeddingGenerationOptions? options)
    {
        EmbeddingOptions? own = options?.RawRepresentationFactory?.Invoke(this) as EmbeddingOptions ?? model.Options.Embedding;
        return new BatchKey(options?.Dimensions, options?.ModelId, own);
    }

    private void Enqueue(EmbeddingCall call)
    {
        lock (_gate)
        {
            if (_disposed)
                throw model.Disposed();
            _waiting.AddLast(call);
            if (_runners == _maxRunners)
                return;
            _runners++;
        }
        _ = Task.Run(RunAsync);
    }

    /// <summary>One batch after the other, until nobody waits.</summary>
    private async Task RunAsync()
    {
        while (true)
        {
            try
            {
                using HostedPipeline<SentenceEmbeddingPipeline>.Place place = await model.EnterAsync(CancellationToken.None).ConfigureAwait(false);
                if (TakeBatch() is not { } parts)
                    return;
                await EmbedAsync(place.Pipeline, parts).ConfigureAwait(false);
            }
            catch (Exception e)                         // there is no model
            {
                lock (_gate)
                    _runners--;
                FailWaiting(e);
                return;
            }
            // Callers that have got their vectors run before this goes on, and their next texts go into the batch that follows.
            await Task.Yield();
        }
    }

    private void FailWaiting(Exception error)
    {
        EmbeddingCall[] failed;
        lock (_gate)
        {
            failed = [.. _waiting];
            _waiting.Clear();
        }
        foreach (EmbeddingCall call in failed)
            call.Fail(error);
    }

    private CallPart[]? TakeBatch()
    {
        lock (_gate)
        {
            var parts = new List<CallPart>();
            var unfinished = new List<EmbeddingCall>();
            int room = model.Options.MaxBatchSize;
            BatchKey? key = null;
            for (LinkedListNode<EmbeddingCall>? node = _waiting.First, next; node is not null && room > 0; node = next)
            {
                (next, EmbeddingCall call) = (node.Next, node.Value);
                bool fits = key is null || key == call.Key;
                if (call.IsOver || fits)
                    _waiting.Remove(node);
                if (call.IsOver || !fits)
                    continue;
                key = call.Key;
                int count = Math.Min(room, call.Texts.Length - call.Taken);
                parts.Add(new CallPart(call, call.Taken, count));
                (call.Taken, room) = (call.Taken + count, room - count);
                if (call.Taken < call.Texts.Length)
                    unfinished.Add(call);
            }
            foreach (EmbeddingCall call in unfinished)
                _waiting.AddLast(call);                 // behind those that came meanwhile
            if (parts.Count > 0)
                return [.. parts];
            _runners--;
            return null;
        }
    }

    /// <summary>Runs a batch. Where it fails by its texts, each half is tried for itself, so that in the end the caller whose text it is gets the
    /// error.</summary>
    private async Task EmbedAsync(SentenceEmbeddingPipeline pipeline, CallPart[] parts)
    {
        parts = [.. parts.Where(part => !part.Call.IsOver)];
        if (parts.Length == 0)
            return;
        try
        {
            await RunAsync(pipeline, parts).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (parts.All(part => part.Call.IsOver))
        {
            // Nobody is left who waits for it.
        }
        catch (Exception e) when (parts.Length > 1 && e is ArgumentException or ModelInputException)
        {
            int half = parts.Length / 2;
            await EmbedAsync(pipeline, parts[..half]).ConfigureAwait(false);
            await EmbedAsync(pipeline, parts[half..]).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            foreach (CallPart part in parts)
                part.Call.Fail(part.Offset > 0 && e is ModelInputException ? InLongCall(part, e) : e);
        }
    }

    private async Task RunAsync(SentenceEmbeddingPipeline pipeline, CallPart[] parts)
    {
        string[] texts = [.. parts.SelectMany(part => part.Texts)];
        ModelTelemetry.Batch(model.Name, texts.Length);
        ModelLog.Batch(model.Logger, model.Name, texts.Length, parts.Length);
        using var nobodyWaits = new CancellationTokenSource();
        using var registrations = new Registrations(parts, nobodyWaits);
        EmbeddingCall first = parts[0].Call;
        GeneratedEmbeddings<Embedding<float>> made =
            await ((IEmbeddingGenerator<string, Embedding<float>>)pipeline).GenerateAsync(texts, OptionsOf(first), nobodyWaits.Token).ConfigureAwait(false);
        Embedding<float>[] vectors = [.. made];
        int at = 0;
        foreach (CallPart part in parts)
        {
            // The usage that was made is the whole batch's.
            long tokens = parts.Length == 1 && made.Usage?.InputTokenCount is long all ? all
                : part.Texts.Sum(text => (long)pipeline.CountTokens(text, first.Key.Options ?? EmbeddingOptions.Default));
            part.Call.Deliver(part.Offset, vectors.AsSpan(at, part.Count), tokens);
            at += part.Count;
        }
    }

    private static EmbeddingGenerationOptions? OptionsOf(EmbeddingCall call) => call.Key switch
    {
        { Dimensions: null, ModelId: null, Options: null } => null,
        var key => new EmbeddingGenerationOptions
        {
            Dimensions = key.Dimensions, ModelId = key.ModelId, RawRepresentationFactory = key.Options is null ? null : _ => key.Options,
        },
    };

    private static ModelInputException InLongCall(CallPart part, Exception e) =>
        new($"Of the call's texts from number {part.Offset} on: {e.Message}", e);

    /// <summary>Ends a batch when all of its callers have gone.</summary>
    private sealed class Registrations : IDisposable
    {
        private readonly CancellationTokenRegistration[] _registrations;
        private int _left;

        public Registrations(CallPart[] parts, CancellationTokenSource end)
        {
            _left = parts.Length;
            _registrations = [.. parts.Select(part => part.Call.Token.UnsafeRegister(_ =>
            {
                if (Interlocked.Decrement(ref _left) == 0)
                    end.Cancel();
            }, null))];
        }

        public void Dispose()
        {
            foreach (CancellationTokenRegistration registration in _registrations)
                registration.Dispose();
        }
    }
}
