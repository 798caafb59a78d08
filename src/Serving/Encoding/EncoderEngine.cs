namespace ManagedTransformers.Serving;

/// <summary>Reads the texts of many callers at once with one model: embeddings, masks, labels, spans, ranks. Thread-safe.</summary>
/// <remarks>Nobody waits for others to come: a call that finds the engine idle starts at once, and what arrives meanwhile is the next batch, without padding.
/// A call with many texts goes in several batches, with those of others between them. A text that cannot be read fails its own call alone. Results are those
/// of the pipeline: bit for bit where a call has a batch to itself; else the company of a text may change the last bits of its floats, as in the pipelines' own
/// batches.</remarks>
/// <example><code>
/// using var pipeline = SentenceEmbeddingPipeline.Load("models/demo-embed");
/// await using var engine = new EncoderEngine([pipeline]);
/// IReadOnlyList&lt;TextEmbedding> embeddings = await engine.EmbedAsync(["def add(a, b): return a + b"]);
/// </code></example>
public sealed class EncoderEngine : IEncoderEngine, IAsyncDisposable
{
    private readonly EncoderPipeline[] _pipelines;
    private readonly MergingQueue _queue;
    private readonly EncoderTimes? _times;
    private readonly ModelTelemetry.ModelOperation? _operation;

    /// <summary>Starts an engine; the pipelines stay the caller's, and must outlive it.</summary>
    /// <param name="pipelines">What it can do: pipelines over one model, one of each kind at most.</param>
    /// <param name="options">How the model is shared; null: the defaults.</param>
    /// <exception cref="ArgumentException">There is no pipeline, or two are of one kind.</exception>
    public EncoderEngine(IEnumerable<EncoderPipeline> pipelines, EncoderEngineOptions? options = null) : this(pipelines, options, hosting: null)
    {
    }

    /// <summary>The same, with what an app puts around it; null: nothing.</summary>
    internal EncoderEngine(IEnumerable<EncoderPipeline> pipelines, EncoderEngineOptions? options, EncoderHosting? hosting)
    {
        ArgumentNullException.ThrowIfNull(pipelines);
        _pipelines = [.. pipelines];
        if (_pipelines.Length == 0)
            throw new ArgumentException("There is no pipeline; at least one is needed.", nameof(pipelines));
        if (_pipelines.GroupBy(pipeline => pipeline.GetType()).FirstOrDefault(kind => kind.Count() > 1) is { } several)
            throw new ArgumentException($"{several.Count()} pipelines are a {several.Key.Name}; one of a kind is possible. Make an engine for each.",
                nameof(pipelines));
        Options = options ?? new EncoderEngineOptions();
        _queue = new MergingQueue(Options, hosting);
    }

    private EncoderEngine(EncoderEngine engine, EncoderTimes? times, ModelTelemetry.ModelOperation? operation)
    {
        (_pipelines, Options, _queue, _times, _operation) = (engine._pipelines, engine.Options, engine._queue, times, operation);
    }

    /// <summary>What it can do.</summary>
    public IReadOnlyList<EncoderPipeline> Pipelines => _pipelines;

    /// <summary>How the model is shared.</summary>
    public EncoderEngineOptions Options { get; }

    /// <summary>What it is doing now.</summary>
    public EncoderEngineState State => _queue.State;

    /// <summary>Its pipeline of a kind; null where it has none.</summary>
    public T? Find<T>() where T : EncoderPipeline => _pipelines.OfType<T>().FirstOrDefault();

    /// <summary>The same engine, which writes down how long the calls that come through here take.</summary>
    internal EncoderEngine Timed(EncoderTimes times) => new(this, times, _operation);

    IEncoderEngine IEncoderEngine.Timed(EncoderTimes times) => Timed(times);

    /// <summary>The same engine for one call, which is measured as an operation that has begun already, and ends it.</summary>
    internal EncoderEngine MeasuredAs(ModelTelemetry.ModelOperation operation) => new(this, _times, operation);

    /// <summary>Embeds texts, as <see cref="SentenceEmbeddingPipeline.Embed(IReadOnlyList{string}, EmbeddingOptions?, IProgress{int}?, CancellationToken)"/>
    /// does.</summary>
    /// <param name="texts">The texts; none give no results.</param>
    /// <param name="options">What to do with each; calls with equal options share batches.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work where nobody else waits for it.</param>
    /// <returns>For every text, its result.</returns>
    /// <exception cref="ModelInputException">A text cannot be read; of several, it says which.</exception>
    /// <exception cref="ArgumentException">A text is null, or the options ask for what the model does not have.</exception>
    /// <exception cref="NotSupportedException">The engine has no pipeline for this.</exception>
    /// <exception cref="EngineBusyException">As many calls wait as the engine takes.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public Task<IReadOnlyList<TextEmbedding>> EmbedAsync(
        IReadOnlyList<string> texts, EmbeddingOptions? options = null, CancellationToken cancellationToken = default)
    {
        var pipeline = Require<SentenceEmbeddingPipeline>();
        options ??= EmbeddingOptions.Default;
        return RunAsync(new EncoderTask<string, TextEmbedding>("embeddings", pipeline, options, (batch, token) =>
        {
            float[][] vectors = pipeline.Embed(batch, options, progress: null, token, out int[] tokens);
            return (TextEmbedding[])[.. vectors.Zip(tokens, (vector, count) => new TextEmbedding(vector, count))];
        })
        {
            Tag = (operation, embeddings) =>
            {
                operation.SetTag("gen_ai.usage.input_tokens", embeddings.Sum(one => (long)one.Tokens));
                operation.SetTag("gen_ai.embeddings.dimension.count", embeddings[0].Vector.Length);
            },
        }, texts, cancellationToken);
    }

    /// <summary>Gives the vectors of all tokens of texts, as <see cref="FeatureExtractionPipeline"/> does.</summary>
    /// <param name="texts">The texts; none give no results.</param>
    /// <param name="truncation">Cut a text that is too long at its end, instead of refusing it.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work where nobody else waits for it.</param>
    /// <returns>For every text [1, tokens, hidden], special tokens included.</returns>
    /// <inheritdoc cref="EmbedAsync" path="/exception"/>
    public Task<IReadOnlyList<FloatTensor>> ExtractAsync(
        IReadOnlyList<string> texts, bool truncation = false, CancellationToken cancellationToken = default)
    {
        var pipeline = Require<FeatureExtractionPipeline>();
        return RunAsync(new EncoderTask<string, FloatTensor>("feature_extraction", pipeline, truncation,
            (batch, token) => pipeline.Extract(batch, truncation, progress: null, token))
        {
            Tag = (operation, features) => operation.SetTag("gen_ai.usage.input_tokens", features.Sum(one => (long)one.Shape[1])),
        }, texts, cancellationToken);
    }

    /// <summary>Fills every mask of every text, as <see cref="FillMaskPipeline.PredictMasks"/> does.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<MaskedText>> FillMaskAsync(
        IReadOnlyList<string> texts, FillMaskOptions? options = null, CancellationToken cancellationToken = default)
    {
        var pipeline = Require<FillMaskPipeline>();
        options ??= FillMaskOptions.Default;
        return RunAsync(new EncoderTask<string, MaskedText>("fill_mask", pipeline, options,
            (batch, token) => pipeline.PredictMasks(batch, options, progress: null, token)), texts, cancellationToken);
    }

    /// <summary>Classifies texts, as <see cref="TextClassificationPipeline"/> does.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<IReadOnlyList<LabelScore>>> ClassifyAsync(
        IReadOnlyList<string> texts, TextClassificationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return ClassifyAsync([.. texts.Select(text => (text, (string?)null))], options, cancellationToken);
    }

    /// <summary>Classifies texts, or pairs of texts, as <see cref="TextClassificationPipeline"/> does.</summary>
    /// <param name="pairs">The texts, each with a second one or with null; none give no results.</param>
    /// <param name="options">What to return; calls with equal options share batches.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work where nobody else waits for it.</param>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<IReadOnlyList<LabelScore>>> ClassifyAsync(
        IReadOnlyList<(string Text, string? Pair)> pairs, TextClassificationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var pipeline = Require<TextClassificationPipeline>();
        options ??= TextClassificationOptions.Default;
        int[] tokens = [.. pairs.Select((pair, i) => About(pipeline, pair.Text, i, nameof(pairs), pair.Pair))];
        return RunAsync(new EncoderTask<(string, string?), IReadOnlyList<LabelScore>>("text_classification", pipeline, options,
            (batch, token) => pipeline.Classify(batch, options, progress: null, token)), pairs, tokens, cancellationToken);
    }

    /// <summary>Finds the entities of texts, as <see cref="TokenClassificationPipeline"/> does.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<IReadOnlyList<Entity>>> TagAsync(
        IReadOnlyList<string> texts, TokenClassificationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var pipeline = Require<TokenClassificationPipeline>();
        options ??= TokenClassificationOptions.Default;
        return RunAsync(new EncoderTask<string, IReadOnlyList<Entity>>("token_classification", pipeline, options,
            (batch, token) => pipeline.Tag(batch, options, progress: null, token)), texts, cancellationToken);
    }

    /// <summary>Orders documents by how well they answer a query, as <see cref="RerankPipeline.Rank"/> does.</summary>
    /// <param name="query">The query.</param>
    /// <param name="documents">The documents; none give no results.</param>
    /// <param name="topN">How many to give; null: all.</param>
    /// <param name="truncation">Cut what is too long instead of refusing it.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work where nobody else waits for it.</param>
    /// <returns>The documents, best first; of equals the earlier one.</returns>
    /// <inheritdoc cref="EmbedAsync" path="/exception"/>
    public async Task<IReadOnlyList<RerankScore>> RerankAsync(
        string query, IReadOnlyList<string> documents, int? topN = null, bool truncation = false, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(topN ?? 1, 1, nameof(topN));
        return await RankAsync(query, documents, topN, truncation, sigmoid: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The same; <paramref name="sigmoid"/>: scores are sigmoids of logits, or the logits. Null: as the checkpoint says.</summary>
    internal async Task<IReadOnlyList<RerankScore>> RankAsync(
        string query, IReadOnlyList<string> documents, int? topN, bool truncation, bool? sigmoid, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(documents);
        var pipeline = Require<RerankPipeline>();
        int[] tokens = [.. documents.Select((document, i) => About(pipeline, document, i, nameof(documents), query))];
        (string, string)[] pairs = [.. documents.Select(document => (query, document))];
        IReadOnlyList<float> scores = await RunAsync(new EncoderTask<(string, string), float>("text_ranking", pipeline, (truncation, sigmoid),
            (batch, token) => pipeline.Score(batch, truncation, sigmoid, token)), pairs, tokens, cancellationToken).ConfigureAwait(false);
        return [.. Ranking.Best([.. scores], topN ?? scores.Count).Select(i => new RerankScore(i, documents[i], scores[i]))];
    }

    Task<IReadOnlyList<RerankScore>> IEncoderEngine.RankAsync(
        string query, IReadOnlyList<string> documents, int? topN, bool truncation, bool? sigmoid, CancellationToken cancellationToken) =>
        RankAsync(query, documents, topN, truncation, sigmoid, cancellationToken);

    /// <summary>Fails all calls, and returns when nothing runs any more.</summary>
    public ValueTask DisposeAsync() => _queue.DisposeAsync();

    /// <summary>Takes no more calls, and fails those that wait or have texts left; what runs finishes.</summary>
    internal void Close() => _queue.Close();

    private Task<IReadOnlyList<TResult>> RunAsync<TResult>(
        EncoderTask<string, TResult> task, IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(texts);
        int[] tokens = [.. texts.Select((text, i) => About(task.Pipeline, text, i, nameof(texts)))];
        return RunAsync(task, texts, tokens, cancellationToken);
    }

    private Task<IReadOnlyList<TResult>> RunAsync<TItem, TResult>(
        EncoderTask<TItem, TResult> task, IReadOnlyList<TItem> items, int[] tokens, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<IReadOnlyList<TResult>>(cancellationToken);
        if (items.Count == 0)
            return Task.FromResult<IReadOnlyList<TResult>>([]);
        ModelTelemetry.ModelOperation operation = _operation ?? ModelTelemetry.BeginApart(task.Operation, task.Pipeline.ModelId);
        var call = new EncoderCall<TItem, TResult>(task, items, tokens, operation, cancellationToken) { Times = _times };
        try
        {
            _queue.Enqueue(call);
        }
        catch (Exception e)
        {
            call.Refuse(e);
            throw;
        }
        return call.Result;
    }

    /// <summary>About how many tokens a text has, for the budget: code has some three characters to a token, and two special ones stand around it. The
    /// pipeline tokenizes it, once.</summary>
    private static int About(EncoderPipeline pipeline, string? text, int index, string name, string? pair = null)
    {
        if (text is null)
            throw new ArgumentException($"Text {index} is null; a text is needed.", name);
        int about = (text.Length + (pair?.Length ?? 0)) / 3 + 2;
        // A tagger reads a long text in windows; all else reads no more than fits.
        return pipeline is TokenClassificationPipeline ? about : Math.Min(about, pipeline.MaxTokens);
    }

    private T Require<T>() where T : EncoderPipeline => Find<T>() ?? throw new NotSupportedException(
        $"The engine has no {typeof(T).Name}; it has {string.Join(", ", _pipelines.Select(pipeline => pipeline.GetType().Name))}. Give it one, over a model " +
        "that can do this.");
}

/// <summary>A text's vector.</summary>
/// <param name="Vector">As the options ask for it.</param>
/// <param name="Tokens">The tokens that the text took, its prompt and the special ones included.</param>
public sealed record TextEmbedding(float[] Vector, int Tokens);

/// <summary>How an <see cref="EncoderEngine"/> shares a model among its callers.</summary>
public sealed record EncoderEngineOptions
{
    /// <summary>About how many tokens a batch has at most; a longer text goes alone. (They are estimated from the characters.)</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxBatchTokens { get; init => field = OptionRange.Least(1, value); } = 16_384;

    /// <summary>How many texts a batch has at most.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int MaxBatchTexts { get; init => field = OptionRange.Least(1, value); } = 512;

    /// <summary>The most calls that wait; one more is refused with <see cref="EngineBusyException"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int MaxQueue { get; init => field = OptionRange.Least(0, value); } = 1024;
}

/// <summary>What an <see cref="EncoderEngine"/> is doing.</summary>
/// <param name="Running">Texts in the batch that runs.</param>
/// <param name="Waiting">Calls that wait with all or some of their texts.</param>
/// <param name="Totals">What was done since the engine began.</param>
public sealed record EncoderEngineState(int Running, int Waiting, EncoderEngineTotals Totals);

/// <summary>What an <see cref="EncoderEngine"/> did since it began.</summary>
public sealed record EncoderEngineTotals
{
    /// <summary>Calls whose last text went into a batch.</summary>
    public long Requests { get; init; }

    /// <summary>Texts that went into batches, failed and cancelled ones included.</summary>
    public long Texts { get; init; }

    /// <summary>Batches.</summary>
    public long Batches { get; init; }

    /// <summary>Time that batches took.</summary>
    public TimeSpan Time { get; init; }
}
