using System.Runtime.ExceptionServices;

namespace ManagedTransformers.Serving;

/// <summary>
/// A task for every text of a file of any size, one JSON object on a line, in constant memory. The file is cut into shards; each is computed by one worker and
/// has an output file that comes into being when it is whole, so that the same job goes on where a killed one ended. What is in the files depends on the input,
/// the model and the options alone, to the bit, not on how many workers there are or how often they were killed.
/// </summary>
/// <remarks>In the directory: <c>shard-00000.jsonl</c>, … with a line for each text; <c>poison-00000.jsonl</c>, … with the lines that cannot be processed and
/// why; <c>manifest.json</c>, which says which job it is and what is done. docs/corpora.md explains them.</remarks>
/// <example><code>
/// using var embedder = SentenceEmbeddingPipeline.Load("models/demo-embed");
/// using var job = CorpusJob.Open("texts.jsonl", "vectors", CorpusTask.Embed(embedder));
/// CorpusTotals totals = job.Run(workers: 2);
/// </code></example>
public sealed class CorpusJob : IDisposable
{
    private readonly CorpusLedger _ledger;
    private readonly ShardWriter _writer;

    private CorpusJob(CorpusLedger ledger, ShardWriter writer) => (_ledger, _writer) = (ledger, writer);

    /// <summary>Hexadecimal digits of all that tells this job from another: the input's content, the model's files, task and options, the library's
    /// version.</summary>
    public string Fingerprint => _ledger.Fingerprint;

    /// <summary>Reads the input once, for its fingerprint and its shards, and finds what of the job is done.</summary>
    /// <param name="input">The file; a line is a JSON object with a text.</param>
    /// <param name="directory">Where the results go; it is made where it is not there.</param>
    /// <param name="task">What is done with each text. Its pipeline stays the caller's.</param>
    /// <param name="options">How lines are read, and what becomes of another job's results.</param>
    /// <param name="progress">Told after every 16 MB how much of the input is read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="CorpusException">The directory belongs to another job, a process works in it, or the input lies in it; the input is a
    /// pipe.</exception>
    /// <exception cref="IOException">The input cannot be read, or the directory cannot be written to.</exception>
    public static CorpusJob Open(
        string input, string directory, CorpusTask task, CorpusOptions? options = null, IProgress<CorpusProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(task);
        options ??= CorpusOptions.Default;
        CorpusDirectory.RequireOutside(input, directory);
        CorpusInput corpus = CorpusInput.Read(input, options.ShardBytes, progress, cancellationToken);
        CorpusLedger ledger = CorpusLedger.Open(corpus, task.Settings(), task.ModelId, directory, options);
        return new CorpusJob(ledger, new ShardWriter(corpus.File, task, options, ledger.Directory));
    }

    /// <summary>Computes the shards that are not done. What ends it (an error, the token, a kill) loses those that workers are at; the next run goes
    /// on.</summary>
    /// <param name="workers">Threads that compute shards, at least 1. They share the model, whose own threads come on top.</param>
    /// <param name="progress">Told after some texts how far the job is, from any worker, one at a time.</param>
    /// <param name="cancellationToken">Ends the work, in a text or in a pass of the model.</param>
    /// <exception cref="CorpusException">The input changed meanwhile.</exception>
    /// <exception cref="CheckpointException">The model gives NaN.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public CorpusTotals Run(int workers = 1, IProgress<CorpusProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        var tally = new Tally(_ledger, progress);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ExceptionDispatchInfo? first = null;
        void Work()
        {
            try
            {
                while (_ledger.Claim() is CorpusShard shard) Compute(shard, tally, ending.Token);
            }
#pragma warning disable CA1031 // it is thrown where all workers have ended
            catch (Exception e)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref first, ExceptionDispatchInfo.Capture(e), null);
                ending.Cancel();
            }
        }
        Task[] others = [.. Enumerable.Range(1, Math.Max(0, Math.Min(workers, _ledger.ToCompute) - 1))
            .Select(_ => Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Work();
        Task.WaitAll(others, CancellationToken.None);
        first?.Throw();
        _ledger.Save();
        return _ledger.Totals;
    }

    /// <summary>Lets others work in the directory.</summary>
    public void Dispose() => _ledger.Dispose();

    private void Compute(CorpusShard shard, Tally tally, CancellationToken cancellationToken)
    {
        try
        {
            using WrittenShard written = _writer.Write(shard, tally.Add, cancellationToken);
            _ledger.Complete(shard.Number, written.Counts, written.ResultsPath, written.PoisonPath);
        }
        catch
        {
            _ledger.Release(shard.Number);
            throw;
        }
    }

    /// <summary>What is done in this run, over all workers.</summary>
    private sealed class Tally(CorpusLedger ledger, IProgress<CorpusProgress>? progress)
    {
        private readonly Lock _gate = new();
        private ShardCounts _done;

        public void Add(ShardCounts chunk)
        {
            if (progress is null) return;
            lock (_gate)
            {
                _done += chunk;
                progress.Report(ledger.Progress(_done));
            }
        }
    }
}
