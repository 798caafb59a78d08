namespace ManagedTransformers.Serving;

/// <summary>Which shards of a job are done, claimed and free. Whoever has it holds the lock of the output directory, and gives all files there their names, so
/// that no shard is there twice. Thread-safe.</summary>
internal sealed class CorpusLedger : IDisposable
{
    // Of the manifest, in a job: files are what counts, and it may be behind them.
    private const int MostSaves = 64;

    private readonly CorpusInput _input;
    private readonly string _modelId;
    private readonly CorpusDirectory _directory;
    private readonly (string Name, string? Value)[] _parts;
    private readonly ShardCounts?[] _counts;
    private readonly Lock _gate = new();
    private readonly SortedSet<int> _free = [];            // neither done nor claimed
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly ShardCounts _before;                  // what was done then; bytes are those of the input
    private int _done;
    private bool _isDisposed;
    private int _unsaved;                                  // shards that were completed since the manifest was written

    private CorpusLedger(CorpusInput input, (string Name, string? Value)[] parts, string modelId, CorpusDirectory directory)
    {
        (_input, _parts, _modelId, _directory) = (input, parts, modelId, directory);
        Fingerprint = CorpusManifest.FingerprintOf(parts);
        _counts = directory.Find(parts, input.Shards);
        foreach (CorpusShard shard in input.Shards)
        {
            if (_counts[shard.Number] is not ShardCounts done)
                _free.Add(shard.Number);
            else
                _before += done with { Bytes = shard.Length };
        }
        _done = _counts.Length - _free.Count;
        ToCompute = _free.Count;
        Save();
    }

    /// <summary>Hexadecimal digits of all that tells this job from another.</summary>
    public string Fingerprint { get; }

    /// <summary>The absolute path of the output directory.</summary>
    public string Directory => _directory.Path;

    /// <summary>Shards that were not done when it was opened.</summary>
    public int ToCompute { get; }

    /// <summary>Whether all shards are done.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_gate) return _done == _counts.Length;
        }
    }

    /// <summary>What a complete job has.</summary>
    public CorpusTotals Totals => new(_counts.Length, ToCompute, _counts.Sum(one => one!.Value.Texts), _counts.Sum(one => one!.Value.SetAside));

    /// <summary>Takes the directory, and finds what of the job is done.</summary>
    /// <param name="input">The input.</param>
    /// <param name="settings">What tells the task from others (<see cref="CorpusTask.Settings"/>).</param>
    /// <param name="modelId">What the model is called.</param>
    /// <param name="directory">The output directory; it is made where it is not there.</param>
    /// <param name="options">How lines are read, and what becomes of another job's results.</param>
    /// <exception cref="CorpusException">The directory belongs to another job, or a process works in it.</exception>
    /// <exception cref="IOException">It cannot be written to.</exception>
    public static CorpusLedger Open(
        CorpusInput input, IEnumerable<(string Name, string? Value)> settings, string modelId, string directory, CorpusOptions options)
    {
        var output = new CorpusDirectory(directory, options.Overwrite);
        try
        {
            return new CorpusLedger(input, CorpusManifest.PartsOf(input, settings, options), modelId, output);
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <summary>Whether the files of a shard have their names.</summary>
    public bool IsDone(int number)
    {
        lock (_gate) return _counts[number] is not null;
    }

    /// <summary>Takes the first shard that nobody has; null: there is none. It is given back by <see cref="Complete"/>, or by <see cref="Release"/>.</summary>
    public CorpusShard? Claim()
    {
        lock (_gate)
        {
            if (_free.Count == 0) return null;
            int first = _free.Min;
            _free.Remove(first);
            return _input.Shards[first];
        }
    }

    /// <summary>Takes a certain shard.</summary>
    /// <returns>Whether it was free.</returns>
    public bool Claim(int number)
    {
        lock (_gate) return _free.Remove(number);
    }

    /// <summary>Gives the files of a shard their names, where it is not done.</summary>
    /// <param name="number">The shard.</param>
    /// <param name="counts">What the files have.</param>
    /// <param name="results">The path of its results, complete.</param>
    /// <param name="poison">That of its lines that were set aside; null: there are none.</param>
    /// <returns>Whether it was not done before.</returns>
    /// <exception cref="IOException">A file cannot be renamed.</exception>
    /// <exception cref="ObjectDisposedException">The directory may be another one's.</exception>
    public bool Complete(int number, ShardCounts counts, string results, string? poison)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_counts[number] is not null) return false;
            _directory.Publish(_input.Shards[number], results, poison);
            _free.Remove(number);
            _counts[number] = counts;
            _done++;
            if (++_unsaved >= _counts.Length / MostSaves) Save();
            return true;
        }
    }

    /// <summary>A claimed shard was not computed.</summary>
    public void Release(int number)
    {
        lock (_gate)
        {
            if (_counts[number] is null) _free.Add(number);
        }
    }

    /// <summary>How far the job is.</summary>
    /// <param name="now">What was done since this was opened; bytes are those of the input.</param>
    public CorpusProgress Progress(ShardCounts now)
    {
        long total = _input.File.Length, bytes = _before.Bytes + now.Bytes, texts = now.Texts + now.SetAside;
        double seconds = Stopwatch.GetElapsedTime(_began).TotalSeconds;
        return new CorpusProgress(_before.Texts + _before.SetAside + texts, _before.SetAside + now.SetAside, bytes, total, texts / seconds,
            now.Bytes == 0 ? null : TimeSpan.FromSeconds(seconds * (total - bytes) / now.Bytes));
    }

    /// <summary>Writes the manifest, where it says anything new.</summary>
    public void Save()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _directory.Save(CorpusManifest.Write(_input, _modelId, _parts, _counts));
            _unsaved = 0;
        }
    }

    /// <summary>Removes what a lost worker left of a shard that is done.</summary>
    public void RemoveUnfinished(int number) => _directory.RemoveUnfinished(_input.Shards[number]);

    /// <summary>Lets others work in the directory.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _directory.Dispose();
        }
    }
}
