namespace ManagedTransformers.Serving;

/// <summary>The output directory of a job while a process works in it: nobody else does.</summary>
internal sealed class CorpusDirectory : IDisposable
{
    private const string LockName = ".lock";
    private const string WayOut = "Choose another directory, or have what is there replaced (CorpusOptions.Overwrite; mtx: --force).";
    private const byte LineEnd = (byte)'\n';

    private readonly FileStream _lock;
    private readonly string _manifest;
    private byte[] _saved = [];

    /// <summary>Makes the directory where it is not there, and takes it.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="overwrite">Removes the job that is in it. Other files stay.</param>
    /// <exception cref="CorpusException">A process works in it.</exception>
    /// <exception cref="IOException">It cannot be made, or written to.</exception>
    public CorpusDirectory(string path, bool overwrite)
    {
        if (File.Exists(path)) throw new IOException($"{path} is a file; the name of a directory is needed.");
        Path = Directory.CreateDirectory(path).FullName;
        _manifest = System.IO.Path.Combine(Path, CorpusManifest.FileName);
        try
        {
            _lock = new FileStream(System.IO.Path.Combine(Path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (Unfinished.IsHeld(e))
        {
            throw new CorpusException($"Another process works in {Path}. Wait until it ends, or choose another directory.", e);
        }
        if (!overwrite) return;
        File.Delete(_manifest);                            // first: what is left of the shards is then nobody's, and refused
        foreach (string file in CorpusShard.FilesIn(Path)) File.Delete(file);
    }

    /// <summary>Its absolute path.</summary>
    public string Path { get; }

    /// <summary>Refuses an input that lies where the results go.</summary>
    /// <exception cref="CorpusException">It does.</exception>
    public static void RequireOutside(string input, string directory)
    {
        if (RealPath.IsInside(RealPath.Of(input), RealPath.Of(directory)))
            throw new CorpusException($"The input {input} lies in the output directory {directory}, which belongs to the job. Choose another directory.");
    }

    /// <summary>What tells the job of a directory from others; null: none that can be read is there.</summary>
    public static (string Name, string? Value)[]? PartsIn(string directory)
    {
        string manifest = System.IO.Path.Combine(directory, CorpusManifest.FileName);
        try
        {
            return File.Exists(manifest) ? CorpusManifest.Read(manifest).Parts : null;
        }
        catch (CorpusException)
        {
            return null;
        }
    }

    /// <summary>What is done of a job.</summary>
    /// <param name="parts">What tells it from others.</param>
    /// <param name="shards">Its shards.</param>
    /// <returns>What each shard has; null where it is to be computed.</returns>
    /// <exception cref="CorpusException">The directory belongs to another job.</exception>
    public ShardCounts?[] Find(IReadOnlyList<(string Name, string? Value)> parts, IReadOnlyList<CorpusShard> shards)
    {
        if (!File.Exists(_manifest))
        {
            return CorpusShard.FilesIn(Path).FirstOrDefault() is not string file
                ? new ShardCounts?[shards.Count]
                : throw new CorpusException($"{Path} has {System.IO.Path.GetFileName(file)} and no {CorpusManifest.FileName}, " +
                    $"which says of which job it is. {WayOut}");
        }
        ((string, string?)[] there, ShardCounts?[] noted) = CorpusManifest.Read(_manifest);
        if (CorpusManifest.Difference(there, parts) is { Length: > 0 } difference)
            throw new CorpusException($"{Path} holds another job, with the fingerprint {CorpusManifest.FingerprintOf(there)}; this one's is " +
                $"{CorpusManifest.FingerprintOf(parts)}. They differ in {difference}. {WayOut}");
        if (noted.Length != shards.Count)
            throw new CorpusException($"{_manifest} lists {noted.Length} shards; the input has {shards.Count}. The file is damaged. {WayOut}");
        return [.. shards.Select(shard => Find(shard, noted[shard.Number]))];
    }

    /// <summary>Writes the manifest, where it says anything new.</summary>
    public void Save(byte[] manifest)
    {
        if (manifest.AsSpan().SequenceEqual(_saved)) return;
        PendingFile.Write(_manifest, manifest);
        _saved = manifest;
    }

    /// <summary>Gives the files of a shard their names; that of its results, which says that it is done, comes last.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="results">The path of its results, complete.</param>
    /// <param name="poison">That of its lines that were set aside; null: there are none.</param>
    /// <exception cref="IOException">One cannot be renamed.</exception>
    public void Publish(CorpusShard shard, string results, string? poison)
    {
        string poisonPath = System.IO.Path.Combine(Path, shard.PoisonFileName);
        if (poison is null)
            File.Delete(poisonPath);                       // of a version that refused what this one takes
        else
            PendingFile.Publish(poison, poisonPath);
        PendingFile.Publish(results, System.IO.Path.Combine(Path, shard.FileName));
    }

    /// <summary>Removes what killed processes left of a shard's files.</summary>
    public void RemoveUnfinished(CorpusShard shard)
    {
        Unfinished.Remove(Path, shard.FileName);
        Unfinished.Remove(Path, shard.PoisonFileName);
    }

    public void Dispose() => _lock.Dispose();

    /// <summary>The file of a shard is the whole of it, or is not there. One that the manifest does not know yet is counted; one that is not as the manifest
    /// says was changed by somebody, and is computed again.</summary>
    private ShardCounts? Find(CorpusShard shard, ShardCounts? noted)
    {
        var results = new FileInfo(System.IO.Path.Combine(Path, shard.FileName));
        var poison = new FileInfo(System.IO.Path.Combine(Path, shard.PoisonFileName));
        if (!results.Exists) return null;
        if (noted is ShardCounts known)
            return results.Length == known.Bytes && poison.Exists == known.SetAside > 0 ? known : null;
        return new ShardCounts(LinesOf(results), poison.Exists ? LinesOf(poison) : 0, results.Length);
    }

    private static long LinesOf(FileInfo file)
    {
        using FileStream stream = file.OpenRead();
        var buffer = new byte[1 << 16];
        long lines = 0;
        for (int count; (count = stream.Read(buffer)) > 0;) lines += buffer.AsSpan(0, count).Count(LineEnd);
        return lines;
    }
}
