namespace ManagedTransformers.Orleans;

/// <summary>A job over a whole corpus on the silos of a cluster, as <see cref="CorpusJob"/> does it on one machine: the same files, to the bit, whatever
/// becomes of silos. All silos need the input and the output directory, under the same paths.</summary>
/// <remarks>Each silo that has the model takes shards; those of one that is lost are free again. It ends when its callers are gone for half a minute, and the
/// same job goes on where it was.</remarks>
/// <example><code>
/// var job = new ClusterCorpusJob(client, "demo-embed", "/data/texts.jsonl", "/data/vectors");
/// CorpusTotals totals = await job.EmbedAsync();
/// </code></example>
public sealed class ClusterCorpusJob
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50), s_longestPause = TimeSpan.FromMilliseconds(500);

    // No silo answers for so long: the cluster is gone.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    // A job that has been cancelled lets go of its directory; who cancels does not wait longer for that.
    private static readonly TimeSpan s_endPatience = TimeSpan.FromSeconds(5);

    private readonly IGrainFactory _grains;
    private readonly string _model, _input, _directory;
    private readonly CorpusOptions _options;
    private readonly int _workers;

    /// <summary>A job that is not begun yet.</summary>
    /// <param name="grains">A client of the cluster, or a silo's grain factory.</param>
    /// <param name="model">What the model is called.</param>
    /// <param name="input">The file, as silos see it; a line is a JSON object with a text.</param>
    /// <param name="directory">Where the results go, as silos see it; it is made where it is not there.</param>
    /// <param name="options">How lines are read, and what becomes of another job's results; null: the defaults.</param>
    /// <param name="workers">Shards that a silo computes at a time, at least 1. They share the model and its threads.</param>
    public ClusterCorpusJob(IGrainFactory grains, string model, string input, string directory, CorpusOptions? options = null, int workers = 1)
    {
        ArgumentNullException.ThrowIfNull(grains);
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        (_grains, _model, _options, _workers) = (grains, model, options ?? CorpusOptions.Default, workers);
        (_input, _directory) = (Absolute(input), Path.TrimEndingDirectorySeparator(Absolute(directory)));
    }

    /// <summary>Hexadecimal digits of all that tells this job from another, as <see cref="CorpusJob.Fingerprint"/>; null before the input is read.</summary>
    public string? Fingerprint { get; private set; }

    /// <summary>Silos that have the model and take no part, with their reasons, as far as is known.</summary>
    public IReadOnlyList<string> Refused { get; private set; } = [];

    /// <summary>A vector for each text, as <see cref="CorpusTask.Embed"/> writes it.</summary>
    /// <param name="options">What to do with each text; null: the defaults.</param>
    /// <param name="progress">Told twice in a second how far the job is.</param>
    /// <param name="cancellationToken">Ends the job, where nobody else waits for it. What is done stays, and the same job goes on from there.</param>
    /// <exception cref="CorpusException">What <see cref="CorpusJob"/> refuses; another job runs in the directory; or no silo can do it, with the reason of
    /// each.</exception>
    /// <exception cref="NoSiloException">No silo answers.</exception>
    public Task<CorpusTotals> EmbedAsync(
        EmbeddingOptions? options = null, IProgress<CorpusProgress>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync("embed", options ?? EmbeddingOptions.Default, context: null, progress, cancellationToken);

    /// <summary>The classes of each text, as <see cref="CorpusTask.Classify"/> writes them.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<CorpusTotals> ClassifyAsync(
        TextClassificationOptions? options = null, IProgress<CorpusProgress>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync("classify", options ?? TextClassificationOptions.Default, context: null, progress, cancellationToken);

    /// <summary>The labelled parts of each text, as <see cref="CorpusTask.Tag"/> writes them.</summary>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<CorpusTotals> TagAsync(
        TokenClassificationOptions? options = null, IProgress<CorpusProgress>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync("tag", options ?? TokenClassificationOptions.Default, context: null, progress, cancellationToken);

    /// <summary>The likelihood of each text, as <see cref="CorpusTask.Score"/> writes it.</summary>
    /// <param name="options">Window, stride, and whether a token begins the text; null: the defaults.</param>
    /// <param name="context">What stands before every text and is not scored; null: nothing.</param>
    /// <param name="progress">Told twice in a second how far the job is.</param>
    /// <param name="cancellationToken">Ends the job, where nobody else waits for it.</param>
    /// <inheritdoc cref="EmbedAsync"/>
    public Task<CorpusTotals> ScoreAsync(
        ScoringOptions? options = null, string? context = null, IProgress<CorpusProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        RunAsync("score", options ?? ScoringOptions.Default, context, progress, cancellationToken);

    private static string Absolute(string path) => Path.IsPathRooted(path) ? path : Path.GetFullPath(path);

    private async Task<CorpusTotals> RunAsync<T>(
        string task, T options, string? context, IProgress<CorpusProgress>? progress, CancellationToken cancellationToken)
    {
        var request = new CorpusJobRequest
        {
            Input = _input, Directory = _directory, Model = _model, Task = task, Options = CorpusTaskJson.Write(options), Context = context,
            TextField = _options.TextField, IdField = _options.IdField, ShardBytes = _options.ShardBytes, Workers = _workers,
        };
        var watcher = Guid.NewGuid();
        ICorpusJobGrain job = _grains.GetGrain<ICorpusJobGrain>(_directory);
        try
        {
            return await WatchAsync(job, request, watcher, progress, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await EndAsync(job, watcher).ConfigureAwait(false);
            throw;
        }
    }

    private static async Task EndAsync(ICorpusJobGrain job, Guid watcher)
    {
        try
        {
            await job.EndAsync(watcher).WaitAsync(s_endPatience).ConfigureAwait(false);
        }
        catch (Exception e) when (SiloFailures.IsOfSilo(e))
        {
            // It ends when nobody has asked for some time.
        }
    }

    private async Task<CorpusTotals> WatchAsync(
        ICorpusJobGrain job, CorpusJobRequest request, Guid watcher, IProgress<CorpusProgress>? progress, CancellationToken cancellationToken)
    {
        bool isFirst = true;                               // until it has run: a later silo must not remove what an earlier one has done
        int computed = 0;
        TimeSpan pause = s_firstPause;
        for (long answered = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                CorpusJobStatus status = await job.WatchAsync(request, watcher, isFirst, isFirst && _options.Overwrite).WaitAsync(cancellationToken)
                    .ConfigureAwait(false);
                answered = Stopwatch.GetTimestamp();
                (Refused, computed) = (status.Refused, Math.Max(computed, status.ToCompute));
                if (status.Fingerprint is not null)
                    (Fingerprint, isFirst) = (status.Fingerprint, false);
                progress?.Report(status.Progress);
                if (status.Totals is [long shards, long texts, long setAside])
                    return new CorpusTotals((int)shards, computed, texts, setAside);
            }
            catch (Exception e) when (SiloFailures.IsOfSilo(e) && !cancellationToken.IsCancellationRequested)
            {
                if (Stopwatch.GetElapsedTime(answered) > s_patience)
                    throw new NoSiloException($"No silo answers for the job in {_directory}; the last try ended with: {e.Message} " +
                        "The same job goes on where it was when silos are back.", e);
            }
            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
        }
    }
}
