using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>
/// The weights of a model as one set of tensors: <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names, or
/// PyTorch's <c>pytorch_model.bin</c>, or the shards that <c>pytorch_model.bin.index.json</c> names; the first that is there, as transformers does.
/// Opening checks every header and the index; the data is mapped and read when it is used. Immutable and thread-safe.
/// </summary>
[DebuggerDisplay("{Description,nq}: {Weights.Count} weights")]
public sealed class Checkpoint : IDisposable
{
    /// <summary>The file of a checkpoint that is not sharded; read first where both are there, as transformers does.</summary>
    public const string SingleFileName = "model.safetensors";

    /// <summary>The index of a sharded checkpoint.</summary>
    public const string IndexFileName = "model.safetensors.index.json";

    /// <summary>A PyTorch checkpoint that is not sharded; read where there are no safetensors.</summary>
    public const string TorchFileName = "pytorch_model.bin";

    /// <summary>The index of a sharded PyTorch checkpoint.</summary>
    public const string TorchIndexFileName = "pytorch_model.bin.index.json";

    private readonly Lifetime _lifetime;
    private readonly IWeightFile[] _files;
    private readonly OrderedDictionary<string, Weight> _weights = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    private Checkpoint(string description, IReadOnlyList<IWeightFile> files)
    {
        Description = description;
        _files = [.. files];
        FileNames = [.. files.Select(file => file.Name)];
        foreach (IWeightFile file in files)
        {
            foreach ((string name, Weight weight) in file.Weights) _weights.Add(name, weight);
            foreach ((string key, string value) in file.Metadata) _metadata.TryAdd(key, value);
        }
        _lifetime = new Lifetime(description, () =>
        {
            foreach (IWeightFile file in files) file.Dispose();
        });
    }

    /// <summary>Where it came from, for messages: the absolute path of the directory.</summary>
    public string Description { get; }

    /// <summary>All tensors by name (case-sensitive), in the order of the files.</summary>
    public IReadOnlyDictionary<string, Weight> Weights => _weights;

    /// <summary>The metadata strings of all files; where shards disagree, the first one's.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>The files that hold the tensors.</summary>
    public IReadOnlyList<string> FileNames { get; }

    /// <summary>Opens a checkpoint directory, also a snapshot in the hub's cache. Nothing outside the directory (or that cache entry) is read.</summary>
    /// <exception cref="CheckpointException">No weights are there, or a file, the index, or their agreement is bad; lists all problems at once.</exception>
    public static Checkpoint Open(string directory) => OpenDirectory(directory, map: true);

    /// <summary>Opens a checkpoint directory whose files are mapped, or read into memory (<see cref="LoadOptions.MapWeights"/>).</summary>
    internal static Checkpoint OpenDirectory(string directory, bool map) => Load(new DirectorySource(directory, map));

    /// <summary>Opens a checkpoint whose files are in memory. The bytes are not copied and must not change.</summary>
    /// <param name="files">Contents by file name, such as <see cref="SingleFileName"/>; others (config.json) are left alone.</param>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static Checkpoint FromBytes(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return Load(new BytesSource(files));
    }

    /// <summary>Reads a checkpoint from streams, each to its end; see <see cref="SafetensorsFile.FromStream"/>. The streams are not disposed.</summary>
    /// <param name="files">Streams by file name; those that are not needed are not read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static Checkpoint FromStreams(IReadOnlyDictionary<string, Stream> files, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        return Load(new StreamsSource(files, cancellationToken));
    }

    /// <summary>Keeps the memory of all weights in place until the lease is disposed, also when the checkpoint is disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint was disposed.</exception>
    internal FileLease Acquire() => _lifetime.Acquire();

    /// <summary>Sees whether files that are mapped are as they were when they were opened; a lease must be held.</summary>
    /// <exception cref="CheckpointException">One was written to in place.</exception>
    internal void RequireUnchanged()
    {
        foreach (IWeightFile file in _files) file.RequireUnchanged();
    }

    /// <summary>Lets go of the files; they are unmapped when no session reads them any more. No weight can be read afterwards.</summary>
    public void Dispose() => _lifetime.Dispose();

    private static Checkpoint Load(CheckpointSource source)
    {
        if (source.Contains(SingleFileName)) return new Checkpoint(source.Description, [source.OpenTensors(SingleFileName)]);
        if (source.Contains(IndexFileName)) return LoadShards(source, IndexFileName, ".safetensors");
        if (source.Contains(TorchFileName)) return new Checkpoint(source.Description, [source.OpenTensors(TorchFileName)]);
        if (source.Contains(TorchIndexFileName)) return LoadShards(source, TorchIndexFileName, ".bin");
        string[] names = [.. source.Names];
        string found = names.Length == 0 ? "nothing" : SafetensorsHeader.Shown(string.Join(", ", names));
        throw new CheckpointException(
            $"{source.Description} holds no weights: needed is {SingleFileName}, {IndexFileName}, {TorchFileName} or {TorchIndexFileName}, found {found}. " +
            "Download or export the model's weights to it.");
    }

    private static Checkpoint LoadShards(CheckpointSource source, string indexFile, string extension)
    {
        ShardIndex index = ShardIndex.Parse(source.ReadWhole(indexFile).Span, indexFile);
        var files = new List<IWeightFile>();
        try
        {
            var problems = new List<string>();
            foreach (string shard in index.Shards) OpenShard(source, shard, extension, files, problems);
            Compare(index, files, problems);
            if (problems.Count > 0)
                throw new CheckpointException(
                    $"{indexFile} and its shards in {source.Description} do not fit together. " +
                    "Download all of them again, from one revision, or export the model again:",
                    problems)
                {
                    FileName = indexFile,
                };
            return new Checkpoint(source.Description, files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    private static void OpenShard(CheckpointSource source, string shard, string extension, List<IWeightFile> files, List<string> problems)
    {
        if (ShardIndex.NameProblem(shard, extension) is string problem)
        {
            problems.Add(problem);
            return;
        }
        if (!source.Contains(shard))
        {
            problems.Add($"The shard {shard} is missing.");
            return;
        }
        try
        {
            files.Add(source.OpenTensors(shard));
        }
        catch (CheckpointException e)
        {
            problems.Add(e.Message);
        }
    }

    /// <summary>Every tensor must be in exactly the shard that the index names. (Tensors of shards that could not be opened are not told again.)</summary>
    private static void Compare(ShardIndex index, List<IWeightFile> files, List<string> problems)
    {
        var opened = files.ToDictionary(file => file.Name, StringComparer.Ordinal);
        foreach ((string tensor, string shard) in index.WeightMap)
            if (opened.TryGetValue(shard, out IWeightFile? file) && !file.Weights.ContainsKey(tensor))
                problems.Add($"{SafetensorsHeader.Shown(tensor)} is not in {shard}, where the index expects it.");

        var holders = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (IWeightFile file in files)
        {
            foreach (string tensor in file.Weights.Keys)
            {
                if (!holders.TryAdd(tensor, file.Name))
                    problems.Add($"{SafetensorsHeader.Shown(tensor)} is in two shards, {holders[tensor]} and {file.Name}.");
                else if (!index.WeightMap.ContainsKey(tensor))
                    problems.Add($"{SafetensorsHeader.Shown(tensor)} is in {file.Name}, but not in the index.");
            }
        }
        WeightType[] blocks = [.. files.SelectMany(file => file.Weights.Values).Select(weight => weight.BlockType).OfType<WeightType>().Distinct()];
        if (blocks.Length > 1) problems.Add($"Some shards are quantized to {blocks[0]}, some to {blocks[1]}.");
    }
}

/// <summary>A file with named tensors, of whatever format: what a <see cref="Checkpoint"/> is made of.</summary>
internal interface IWeightFile : IDisposable
{
    string Name { get; }

    IReadOnlyDictionary<string, Weight> Weights { get; }
    IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="CheckpointException">It is mapped, and was written to in place.</exception>
    void RequireUnchanged();
}
