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
        (Dictionary<string, string?> there, ShardCounts?[] noted) = CorpusManifest.Read(_manifest);
        RequireSame(parts, there);
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

    private void RequireSame(IReadOnlyList<(string Name, string? Value)> parts, Dictionary<string, string?> there)
    {
        var here = parts.ToDictionary(part => part.Name, part => part.Value, StringComparer.Ordinal);
        string[] differences = [.. here.Keys.Union(there.Keys)
            .Where(name => here.GetValueOrDefault(name) != there.GetValueOrDefault(name))
            .Select(name => $"{name} ({there.GetValueOrDefault(name) ?? "none"} there, {here.GetValueOrDefault(name) ?? "none"} here)")];
        if (differences.Length == 0) return;
        string other = CorpusManifest.FingerprintOf(there.Select(part => (part.Key, part.Value)));
        throw new CorpusException($"{Path} holds another job, with the fingerprint {other}; this one's is {CorpusManifest.FingerprintOf(parts)}. " +
            $"They differ in {string.Join(", ", differences)}. {WayOut}");
    }
}
