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
    // Of the manifest, in a job: files are what counts, and it may be behind them.
    private const int MostSaves = 64;

    private readonly CorpusInput _input;
    private readonly CorpusTask _task;
    private readonly CorpusDirectory _directory;
    private readonly (string Name, string? Value)[] _parts;
    private readonly ShardCounts?[] _counts;
    private readonly ShardWriter _writer;
    private readonly Lock _gate = new();
    private readonly Queue<CorpusShard> _open;             // neither done nor claimed
    private int _unsaved;                                  // shards that were completed since the manifest was written

    private CorpusJob(CorpusInput input, CorpusTask task, CorpusOptions options, CorpusDirectory directory)
    {
        (_input, _task, _directory) = (input, task, directory);
        _parts = CorpusManifest.PartsOf(input, task, options);
        _counts = directory.Find(_parts, input.Shards);
        _writer = new ShardWriter(input, task, options, directory.Path);
        _open = new Queue<CorpusShard>(input.Shards.Where(shard => _counts[shard.Number] is null));
        Save();
    }

    /// <summary>Hexadecimal digits of all that tells this job from another: the input's content, the model's files, task and options.</summary>
    public string Fingerprint => CorpusManifest.FingerprintOf(_parts);

    /// <summary>Reads the input once, for its fingerprint and its shards, and finds what of the job is done.</summary>
    /// <param name="input">The file; a line is a JSON object with a text.</param>
    /// <param name="directory">Where the results go; it is made where it is not there.</param>
    /// <param name="task">What is done with each text. Its pipeline stays the caller's.</param>
    /// <param name="options">How lines are read, and what becomes of another job's results.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="CorpusException">The directory belongs to another job, a process works in it, or the input lies in it; the input is a
    /// pipe.</exception>
    /// <exception cref="IOException">The input cannot be read, or the directory cannot be written to.</exception>
    public static CorpusJob Open(
        string input, string directory, CorpusTask task, CorpusOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(task);
        options ??= CorpusOptions.Default;
        if (RealPath.IsInside(RealPath.Of(input), RealPath.Of(directory)))
            throw new CorpusException($"The input {input} lies in the output directory {directory}, which belongs to the job. Choose another directory.");
        CorpusInput corpus = CorpusInput.Read(input, options.ShardBytes, cancellationToken);
        var output = new CorpusDirectory(directory, options.Overwrite);
        try
        {
            return new CorpusJob(corpus, task, options, output);
        }
        catch
        {
            output.Dispose();
            throw;
        }
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
        int computed = _open.Count;
        var tally = new Tally(this, progress);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ExceptionDispatchInfo? first = null;
        void Work()
        {
            try
            {
                while (Claim() is CorpusShard shard) Compute(shard, tally, ending.Token);
            }
#pragma warning disable CA1031 // it is thrown where all workers have ended
            catch (Exception e)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref first, ExceptionDispatchInfo.Capture(e), null);
                ending.Cancel();
            }
        }
        Task[] others = [.. Enumerable.Range(1, Math.Max(0, Math.Min(workers, computed) - 1))
            .Select(_ => Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Work();
        Task.WaitAll(others, CancellationToken.None);
        first?.Throw();
        Save();
        return new CorpusTotals(_counts.Length, computed, _counts.Sum(one => one!.Value.Texts), _counts.Sum(one => one!.Value.SetAside));
    }

    /// <summary>Lets others work in the directory.</summary>
    public void Dispose() => _directory.Dispose();

    /// <summary>Takes a shard that nobody has; null: there is none. It is given back by <see cref="Complete"/>, or by <see cref="Release"/>.</summary>
    internal CorpusShard? Claim()
    {
        lock (_gate) return _open.TryDequeue(out CorpusShard shard) ? shard : null;
    }

    /// <summary>The file of a claimed shard is there.</summary>
    internal void Complete(CorpusShard shard, ShardCounts counts)
    {
        lock (_gate)
        {
            _counts[shard.Number] = counts;
            if (++_unsaved >= _counts.Length / MostSaves) Save();
        }
    }

    /// <summary>A claimed shard was not computed.</summary>
    internal void Release(CorpusShard shard)
    {
        lock (_gate) _open.Enqueue(shard);
    }

    private void Compute(CorpusShard shard, Tally tally, CancellationToken cancellationToken)
    {
        try
        {
            Complete(shard, _writer.Write(shard, tally.Add, cancellationToken));
        }
        catch
        {
            Release(shard);
            throw;
        }
    }

    private void Save()
    {
        _directory.Save(CorpusManifest.Write(_input, _task.ModelId, _parts, _counts));
        _unsaved = 0;
    }

    /// <summary>What is done in this run, over all workers.</summary>
    private sealed class Tally(CorpusJob job, IProgress<CorpusProgress>? progress)
    {
        private readonly Lock _gate = new();
        private readonly long _began = Stopwatch.GetTimestamp();
        private readonly long _bytesBefore = job._input.Length - job._open.Sum(shard => shard.Length);
        private readonly long _textsBefore = job._counts.Sum(one => one is ShardCounts done ? done.Texts + done.SetAside : 0);
        private readonly long _setAsideBefore = job._counts.Sum(one => one?.SetAside ?? 0);
        private long _texts, _setAside, _bytes;

        public void Add(ShardCounts chunk)
        {
            if (progress is null) return;
            lock (_gate)
            {
                (_texts, _setAside, _bytes) = (_texts + chunk.Texts + chunk.SetAside, _setAside + chunk.SetAside, _bytes + chunk.Bytes);
                double seconds = Stopwatch.GetElapsedTime(_began).TotalSeconds;
                long left = job._input.Length - _bytesBefore - _bytes;
                progress.Report(new CorpusProgress(_textsBefore + _texts, _setAsideBefore + _setAside, _bytesBefore + _bytes, job._input.Length,
                    _texts / seconds, _bytes == 0 ? null : TimeSpan.FromSeconds(seconds * left / _bytes)));
            }
        }
    }
}
