namespace ManagedTransformers.Orleans;

/// <summary>Reads texts with an encoder of a cluster, as an <see cref="EncoderEngine"/> does in one process: embeddings, masks, labels, spans, ranks.
/// Thread-safe.</summary>
/// <remarks>A call goes to the silo with the fewest texts of those that have the model. Nothing is kept between calls, so one whose silo is lost is made anew
/// on another one, with the same results: those of one process, to the bit on the same level of kernels.</remarks>
/// <example><code>
/// var encoder = new ClusterEncoder(client, "demo-embed");
/// IReadOnlyList&lt;TextEmbedding> embeddings = await encoder.EmbedAsync(["def add(a, b): return a + b"]);
/// </code></example>
public sealed class ClusterEncoder : IEncoderEngine
{
    private readonly IGrainFactory _grains;
    private readonly int _maxFailures;
    private readonly SiloEngines? _here;
    private readonly EncoderTimes? _times;

    /// <summary>A caller of one model.</summary>
    /// <param name="grains">A client of the cluster, or a silo's grain factory.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="maxFailures">A call fails after this many silos that fail one after the other.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxFailures"/> is below 1.</exception>
    public ClusterEncoder(IGrainFactory grains, string model, int maxFailures = 20) : this(grains, model, maxFailures, here: null, pipelines: [])
    {
    }

    /// <summary>The same in front of routes.</summary>
    /// <param name="grains">The cluster.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="maxFailures">A call fails after this many silos that fail one after the other.</param>
    /// <param name="here">The silo of this process; null: it is none.</param>
    /// <param name="pipelines">The model's, without weights.</param>
    internal ClusterEncoder(IGrainFactory grains, string model, int maxFailures, SiloEngines? here, IReadOnlyList<EncoderPipeline> pipelines)
    {
        ArgumentNullException.ThrowIfNull(grains);
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxFailures, 1);
        (_grains, Model, _maxFailures, _here, Pipelines) = (grains, model, maxFailures, here, pipelines);
    }

    private ClusterEncoder(ClusterEncoder encoder, EncoderTimes times)
        : this(encoder._grains, encoder.Model, encoder._maxFailures, encoder._here, encoder.Pipelines)
    {
        (_times, Options) = (times, encoder.Options);
    }

    /// <summary>What the model is called.</summary>
    public string Model { get; }

    internal IReadOnlyList<EncoderPipeline> Pipelines { get; }

    internal EncoderEngineOptions Options { get; init; } = new();

    IReadOnlyList<EncoderPipeline> IEncoderEngine.Pipelines => Pipelines;

    EncoderEngineOptions IEncoderEngine.Options => Options;

    /// <summary>The silos that have the model, as far as they have reported.</summary>
    public async Task<IReadOnlyList<ClusterSilo>> GetSilosAsync() =>
        await _grains.GetGrain<IModelDirectoryGrain>(Model).SilosAsync().ConfigureAwait(false);

    /// <summary>Embeds texts.</summary>
    /// <param name="texts">The texts; none give no results.</param>
    /// <param name="options">What to do with each.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work on the silo.</param>
    /// <returns>For every text, its result.</returns>
    /// <exception cref="ModelInputException">What an engine refuses, or the model is a decoder.</exception>
    /// <exception cref="NotSupportedException">The model cannot do this.</exception>
    /// <exception cref="UnknownModelException">No silo has the model.</exception>
    /// <exception cref="ModelLoadException">No silo has room for it, or it cannot be loaded.</exception>
    /// <exception cref="EngineBusyException">The silo has as many calls waiting as it takes.</exception>
    /// <exception cref="NoSiloException">Silos failed one after the other.</exception>
    public Task<IReadOnlyList<TextEmbedding>> EmbedAsync(
        IReadOnlyList<string> texts, EmbeddingOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(EncoderJob.Embed, texts, options ?? EmbeddingOptions.Default, cancellationToken);

    /// <summary>Gives the vectors of all tokens of texts.</summary>
    /// <param name="texts">The texts; none give no results.</param>
    /// <param name="truncation">Cut a text that is too long at its end, instead of refusing it.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work on the silo.</param>
    /// <returns>For every text [1, tokens, hidden], special tokens included.</returns>
    /// <inheritdoc cref="EmbedAsync" path="/exception"/>
    public Task<IReadOnlyList<FloatTensor>> ExtractAsync(
        IReadOnlyList<string> texts, bool truncation = false, CancellationToken cancellationToken = default) =>
        RunAsync(EncoderJob.Extract, texts, new ExtractOptions(truncation), cancellationToken);

    /// <summary>Fills every mask of every text.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<MaskedText>> FillMaskAsync(
        IReadOnlyList<string> texts, FillMaskOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(EncoderJob.FillMask, texts, options ?? FillMaskOptions.Default, cancellationToken);

    /// <summary>Classifies texts, or pairs of texts.</summary>
    /// <param name="pairs">The texts, each with a second one or with null; none give no results.</param>
    /// <param name="options">What to return.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work on the silo.</param>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<IReadOnlyList<LabelScore>>> ClassifyAsync(
        IReadOnlyList<(string Text, string? Pair)> pairs, TextClassificationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return RunAsync(EncoderJob.Classify, [.. pairs.Select(pair => pair.Text)], options ?? TextClassificationOptions.Default, cancellationToken,
            [.. pairs.Select(pair => pair.Pair)]);
    }

    /// <summary>Finds the entities of texts.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<IReadOnlyList<IReadOnlyList<Entity>>> TagAsync(
        IReadOnlyList<string> texts, TokenClassificationOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(EncoderJob.Tag, texts, options ?? TokenClassificationOptions.Default, cancellationToken);

    /// <summary>Orders documents by how well they answer a query.</summary>
    /// <param name="query">The query.</param>
    /// <param name="documents">The documents; none give no results.</param>
    /// <param name="topN">How many to give; null: all.</param>
    /// <param name="truncation">Cut what is too long instead of refusing it.</param>
    /// <param name="cancellationToken">Ends the call at once, and the work on the silo.</param>
    /// <returns>The documents, best first; of equals the earlier one.</returns>
    /// <inheritdoc cref="EmbedAsync" path="/exception"/>
    public Task<IReadOnlyList<RerankScore>> RerankAsync(
        string query, IReadOnlyList<string> documents, int? topN = null, bool truncation = false, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(topN ?? 1, 1, nameof(topN));
        return RankAsync(query, documents, topN, truncation, sigmoid: null, cancellationToken);
    }

    IEncoderEngine IEncoderEngine.Timed(EncoderTimes times) => new ClusterEncoder(this, times);

    Task<IReadOnlyList<RerankScore>> IEncoderEngine.RankAsync(
        string query, IReadOnlyList<string> documents, int? topN, bool truncation, bool? sigmoid, CancellationToken cancellationToken) =>
        RankAsync(query, documents, topN, truncation, sigmoid, cancellationToken);

    private async Task<IReadOnlyList<RerankScore>> RankAsync(
        string query, IReadOnlyList<string> documents, int? topN, bool truncation, bool? sigmoid, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        IReadOnlyList<RerankScore> scores = await RunAsync(
            EncoderJob.Rank, documents, new RankOptions(topN, truncation, sigmoid), cancellationToken, [query]).ConfigureAwait(false);
        return [.. scores.Select(score => score with { Document = documents[score.Index] })];
    }

    private async Task<IReadOnlyList<T>> RunAsync<T, TOptions>(
        EncoderJob<T> job, IReadOnlyList<string> texts, TOptions options, CancellationToken cancellationToken, string?[]? others = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0)
            return [];
        var request = new EncoderRequest
        {
            Job = job.Name, Model = Model, Texts = [.. texts], Others = others ?? [], Options = OptionsJson.WriteAny(options),
        };
        if (Array.IndexOf(request.Texts, null) is >= 0 and int none)
            throw new ArgumentException($"Text {none} is null; a text is needed.", nameof(texts));
        var failures = new SiloFailures($"run \"{job.Name}\" with the model {Model}", _maxFailures);
        while (true)
        {
            SiloAddress? silo = null;
            try
            {
                SiloChoice chosen = await _grains.GetGrain<IModelDirectoryGrain>(Model)
                    .ChooseAsync(new PlacementRequest([]) { Excluded = failures.Excluded }).WaitAsync(cancellationToken).ConfigureAwait(false);
                silo = chosen.Silo;
                return await RunOnAsync(silo, job, request with { Fingerprint = chosen.Fingerprint }, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (SiloFailures.IsOfSilo(e) && !cancellationToken.IsCancellationRequested)
            {
                await failures.AddAsync(silo, e, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<IReadOnlyList<T>> RunOnAsync<T>(SiloAddress silo, EncoderJob<T> job, EncoderRequest request, CancellationToken cancellationToken)
    {
        if (silo.Equals(_here?.Address))
            return await _here.RunAsync(job, request, _times ?? new EncoderTimes(), cancellationToken).ConfigureAwait(false);
        IEncoderGrain grain = _grains.GetGrain<IEncoderGrain>(Guid.NewGuid());
        ModelPlacementDirector.SendTo(silo);                                       // until this method returns
        IAsyncEnumerator<EncoderPart> parts = grain.RunAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken);
        Func<Task>? end = grain.EndAsync;
        try
        {
            var results = new List<T>(request.Texts.Length);
            EncoderPart? last = null;
            while (await parts.MoveNextAsync().ConfigureAwait(false))
            {
                last = parts.Current;
                results.AddRange(job.Read(last));
            }
            if (_times is not null && last is not null)
                (_times.Queue, _times.Inference) = (_times.Queue + last.Queue, _times.Inference + last.Inference);
            return results;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && SiloFailures.IsOfSilo(e))
        {
            end = null;                                                            // it is gone with its silo
            throw;
        }
        finally
        {
            CallGrain.CloseAsync(parts, end, silo).Ignore();                       // nobody waits for it: a silo that is lost does not answer
        }
    }
}
