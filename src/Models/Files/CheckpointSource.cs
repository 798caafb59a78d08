namespace ManagedTransformers.Models;

/// <summary>Where the files of a checkpoint come from: a directory, bytes, or streams. File names are plain names, never paths.</summary>
internal abstract class CheckpointSource
{
    public const int MaxWholeLength = 100_000_000;

    /// <summary>What messages call it.</summary>
    public abstract string Description { get; }

    /// <summary>The files that are there, for messages.</summary>
    public abstract IEnumerable<string> Names { get; }

    public abstract bool Contains(string file);

    /// <summary>Opens a file of tensors; the name tells which format it has.</summary>
    public abstract IWeightFile OpenTensors(string file);

    /// <summary>A small file as a whole.</summary>
    public abstract ReadOnlyMemory<byte> ReadWhole(string file);

    protected static bool IsTorch(string file) => file.EndsWith(".bin", StringComparison.Ordinal);

    protected static CheckpointException TooLong(string file) =>
        new($"{file}: it is longer than {MaxWholeLength} bytes, too long for a JSON file that is read as a whole. Download it again.") { FileName = file };
}

/// <summary>A directory on disk. Links may not lead out of it, except where the hub's cache keeps its blobs.</summary>
internal sealed class DirectorySource : CheckpointSource
{
    private readonly string _directory;
    private readonly DirectoryRoots _roots;
    private readonly bool _map;

    /// <summary>A directory whose weights are mapped, or read into memory.</summary>
    public DirectorySource(string directory, bool map = true)
    {
        _map = map;
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (File.Exists(directory))
            throw new CheckpointException(
                $"{Path.GetFullPath(directory)} is a file; needed is a checkpoint directory. " +
                "Pass its directory; a single safetensors file is opened with SafetensorsFile.Open.");
        if (!Directory.Exists(directory)) throw new CheckpointException(MissingDirectory.Describe(directory));
        _directory = Path.GetFullPath(directory);
        _roots = new DirectoryRoots(_directory);
    }

    public override string Description => _directory;

    public override IEnumerable<string> Names =>
        Directory.EnumerateFiles(_directory, "*", new EnumerationOptions { IgnoreInaccessible = true })
            .Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal);

    public override bool Contains(string file) => File.Exists(Path.Combine(_directory, file));

    public override IWeightFile OpenTensors(string file) =>
        IsTorch(file) ? TorchFile.OpenFile(PathOf(file), _map) : SafetensorsFile.OpenFile(PathOf(file), _map);

    public override ReadOnlyMemory<byte> ReadWhole(string file)
    {
        // Mapped like the weights, so that unreadable, missing and oversized files are told in the same way.
        using MappedFile mapped = MappedFile.Open(PathOf(file));
        if (mapped.Length > MaxWholeLength) throw TooLong(file);
        return mapped.Slice(0, (int)mapped.Length).ToArray();
    }

    private string PathOf(string file)
    {
        string path = Path.Combine(_directory, file);
        string real;
        try
        {
            real = RealPath.Of(path);
        }
        catch (IOException e)
        {
            throw new CheckpointException($"{file} in {_directory} cannot be followed: {e.Message}", e) { FileName = file };
        }
        if (_roots.Contain(real)) return path;
        throw new CheckpointException(
            $"{file} in {_directory} is a link to {real}, outside the directory. Nothing is read from there: " +
            "copy the file, or open the directory that holds it.")
        {
            FileName = file,
        };
    }
}

/// <summary>Files that are in memory.</summary>
internal sealed class BytesSource(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files) : CheckpointSource
{
    public override string Description => "the given files";
    public override IEnumerable<string> Names => files.Keys;
    public override bool Contains(string file) => files.ContainsKey(file);

    public override IWeightFile OpenTensors(string file) =>
        IsTorch(file) ? TorchFile.FromBytes(files[file], file) : SafetensorsFile.FromBytes(files[file], file);

    public override ReadOnlyMemory<byte> ReadWhole(string file) => files[file].Length <= MaxWholeLength ? files[file] : throw TooLong(file);
}

/// <summary>Files that arrive as streams; each is read once, and only if it is needed.</summary>
internal sealed class StreamsSource(IReadOnlyDictionary<string, Stream> files, CancellationToken cancellationToken) : CheckpointSource
{
    public override string Description => "the given streams";
    public override IEnumerable<string> Names => files.Keys;
    public override bool Contains(string file) => files.ContainsKey(file);

    public override IWeightFile OpenTensors(string file) => IsTorch(file)
        ? TorchFile.FromStream(files[file], file, cancellationToken)
        : SafetensorsFile.FromStream(files[file], file, cancellationToken);

    public override ReadOnlyMemory<byte> ReadWhole(string file)
    {
        byte[] bytes = new StreamContent(files[file], file, cancellationToken).Read(MaxWholeLength + 1);
        return bytes.Length <= MaxWholeLength ? bytes : throw TooLong(file);
    }
}
