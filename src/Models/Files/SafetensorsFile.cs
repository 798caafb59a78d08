namespace ManagedTransformers.Models;

/// <summary>
/// One safetensors file, mapped from disk or held in memory. The whole header is checked when it is opened; tensor bytes are touched only when
/// they are read. Immutable and thread-safe.
/// </summary>
/// <remarks>The format: https://github.com/huggingface/safetensors#format.</remarks>
public sealed class SafetensorsFile : IWeightFile
{
    /// <summary>The name given to bytes and streams that come without one.</summary>
    public const string DefaultName = "model.safetensors";

    private readonly Lifetime _lifetime;
    private readonly OrderedDictionary<string, Weight> _weights;

    private SafetensorsFile(string name, SafetensorsHeader header, Lifetime lifetime, Func<TensorInfo, Weight> weight)
    {
        (Name, Metadata, _lifetime) = (name, header.Metadata, lifetime);
        _weights = new OrderedDictionary<string, Weight>(header.Tensors.Count, StringComparer.Ordinal);
        foreach (TensorInfo tensor in header.Tensors) _weights.Add(tensor.Name, weight(tensor));
    }

    /// <summary>The file's name without its directory.</summary>
    public string Name { get; }

    /// <summary>The tensors by name (case-sensitive), in the order of the header.</summary>
    public IReadOnlyDictionary<string, Weight> Weights => _weights;

    /// <summary>The strings under <c>__metadata__</c>; empty where there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    private MappedFile? Mapped { get; init; }

    /// <summary>Maps a file. Takes the time to read its header, whatever the size of its data.</summary>
    /// <exception cref="CheckpointException">The file cannot be read or breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path) => OpenFile(path, map: true);

    /// <summary>Maps a file, or reads it whole into memory (<see cref="LoadOptions.MapWeights"/>).</summary>
    internal static SafetensorsFile OpenFile(string path, bool map)
    {
        MappedFile file = MappedFile.Open(path, map);
        try
        {
            int headerLength = SafetensorsHeader.ReadLength(
                file.Slice(0, (int)Math.Min(file.Length, SafetensorsHeader.PrefixLength)), file.Length - SafetensorsHeader.PrefixLength, file.Name);
            long dataStart = SafetensorsHeader.PrefixLength + headerLength;
            var header = SafetensorsHeader.Parse(file.Slice(SafetensorsHeader.PrefixLength, headerLength), file.Name);
            header.RequireDataLength(file.Length - dataStart, file.Name);
            var lifetime = new Lifetime(file.Name, file.Dispose);
            return new SafetensorsFile(file.Name, header, lifetime, tensor =>
                new Weight(tensor.Name, tensor.Type, tensor.Shape, file, dataStart + tensor.Begin) { BlockType = header.BlocksOf(tensor) })
            { Mapped = file };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a file that is in memory. The bytes are not copied and must not change.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <exception cref="CheckpointException">The bytes break a rule of the format.</exception>
    public static SafetensorsFile FromBytes(ReadOnlyMemory<byte> bytes, string name = DefaultName)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        int headerLength = SafetensorsHeader.ReadLength(
            bytes.Span[..Math.Min(bytes.Length, SafetensorsHeader.PrefixLength)], bytes.Length - SafetensorsHeader.PrefixLength, name);
        var header = SafetensorsHeader.Parse(bytes.Span.Slice(SafetensorsHeader.PrefixLength, headerLength), name);
        ReadOnlyMemory<byte> data = bytes[(SafetensorsHeader.PrefixLength + headerLength)..];
        header.RequireDataLength(data.Length, name);
        var lifetime = new Lifetime(name, static () => { });
        return new SafetensorsFile(name, header, lifetime, tensor => new Weight(
            tensor.Name, tensor.Type, tensor.Shape, data[(int)tensor.Begin..(int)tensor.End], name, lifetime)
        { BlockType = header.BlocksOf(tensor) });
    }

    /// <summary>
    /// Reads a stream to its end, each tensor into memory of its own, so that the file may exceed 2 GiB (one tensor may not). The stream need not
    /// know its length, and memory is taken only as bytes arrive, whatever the header claims. The stream is not disposed.
    /// </summary>
    /// <param name="stream">Positioned at the start of the file.</param>
    /// <param name="name">The file's name, for messages.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="CheckpointException">The stream ends early, goes on too long, or breaks a rule of the format.</exception>
    /// <exception cref="IOException">The stream itself failed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SafetensorsFile FromStream(Stream stream, string name = DefaultName, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var content = new StreamContent(stream, name, cancellationToken);
        var header = content.ReadHeader();
        Dictionary<string, byte[]> data = content.ReadTensors(header);
        var lifetime = new Lifetime(name, static () => { });
        return new SafetensorsFile(name, header, lifetime, tensor => new Weight(
            tensor.Name, tensor.Type, tensor.Shape, data[tensor.Name], name, lifetime)
        { BlockType = header.BlocksOf(tensor) });
    }

    /// <summary>Keeps the memory of all weights in place until the lease is disposed, also when this file is disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    internal FileLease Acquire() => _lifetime.Acquire();

    void IWeightFile.RequireUnchanged() => Mapped?.RequireUnchanged();

    /// <summary>Lets go of the file; it is unmapped when no session reads it any more. Its weights cannot be read afterwards.</summary>
    public void Dispose() => _lifetime.Dispose();
}
