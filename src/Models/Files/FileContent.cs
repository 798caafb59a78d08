namespace ManagedTransformers.Models;


/// <summary>The bytes of a whole file, mapped or in memory, and the weights that lie in it.</summary>
internal sealed class FileContent : IDisposable
{
    private readonly MappedFile? _mapped;
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly Lifetime _lifetime;

    /// <summary>A mapped file, which it owns from now on.</summary>
    public FileContent(MappedFile mapped)
    {
        (_mapped, Name, Length) = (mapped, mapped.Name, mapped.Length);
        _lifetime = new Lifetime(Name, mapped.Dispose);
    }

    /// <summary>Bytes in memory, which are not copied.</summary>
    public FileContent(ReadOnlyMemory<byte> bytes, string name)
    {
        (_bytes, Name, Length) = (bytes, name, bytes.Length);
        _lifetime = new Lifetime(Name, static () => { });
    }

    public string Name { get; }
    public long Length { get; }

    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the file.</exception>
    /// <exception cref="ObjectDisposedException">The file and all leases are gone.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        if (_mapped is not null) return _mapped.Slice(offset, length);
        ThrowIfEnded();
        return _bytes.Span.Slice(checked((int)offset), length);
    }

    /// <summary>Copies a few bytes that lie apart; see <see cref="MappedFile.Read"/>.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        if (_mapped is not null) _mapped.Read(offset, destination);
        else Slice(offset, destination.Length).CopyTo(destination);
    }

    /// <summary>Says that bytes were read and are not needed again; see <see cref="MappedFile.GiveBack"/>.</summary>
    public void GiveBack(long offset, long length) => _mapped?.GiveBack(offset, length);

    /// <summary>
    /// A tensor of the file, known to lie in its storage: a view of its bytes where they lie in C order, else one that gathers them when they are read.
    /// </summary>
    public Weight CreateWeight(string name, TorchTensor tensor, long storageOffset)
    {
        long offset = storageOffset + tensor.ByteOffset;
        if (!tensor.IsContiguous) return new Weight(name, new StridedView(this, tensor.Type, offset, tensor.Shape, tensor.Strides), Name);
        if (_mapped is not null) return new Weight(name, tensor.Type, tensor.Shape, _mapped, offset);
        ReadOnlyMemory<byte> bytes = _bytes.Slice((int)offset, (int)tensor.Type.ByteLength(tensor.Shape));
        return new Weight(name, tensor.Type, tensor.Shape, bytes, Name, _lifetime);
    }

    /// <exception cref="CheckpointException">It is mapped, and was written to in place.</exception>
    public void RequireUnchanged() => _mapped?.RequireUnchanged();

    public FileLease Acquire() => _lifetime.Acquire();
    public void ThrowIfEnded() => _lifetime.ThrowIfEnded();
    public void Dispose() => _lifetime.Dispose();
}

/// <summary>Reads a safetensors file from a stream that may end, fail or lie about its length at any point.</summary>
internal sealed class StreamContent(Stream stream, string file, CancellationToken cancellationToken)
{
    private const int FirstBlock = 1 << 20;

    /// <summary>Bytes that the stream has left, where it knows: then nothing larger is ever allocated.</summary>
    private long? Remaining => stream.CanSeek ? Math.Max(0, stream.Length - stream.Position) : null;

    public SafetensorsHeader ReadHeader()
    {
        byte[] prefix = Read(SafetensorsHeader.PrefixLength);
        int length = SafetensorsHeader.ReadLength(prefix, Remaining, file);
        byte[] json = Read(length);
        if (json.Length < length)
            throw SafetensorsHeader.Bad(file, null, $"The header claims to be {length} bytes; only {json.Length} follow.");
        return SafetensorsHeader.Parse(json, file);
    }

    /// <summary>The bytes of each tensor, read in the order in which they lie.</summary>
    public Dictionary<string, byte[]> ReadTensors(SafetensorsHeader header)
    {
        if (Remaining is long remaining) header.RequireDataLength(remaining, file);
        var data = new Dictionary<string, byte[]>(header.Tensors.Count, StringComparer.Ordinal);
        foreach (TensorInfo tensor in header.Tensors.OrderBy(tensor => tensor.Begin))
        {
            long length = tensor.End - tensor.Begin;
            if (length > Array.MaxLength)
                throw new CheckpointException(
                    $"{SafetensorsHeader.Shown(tensor.Name)} in {file} has {length} bytes; a tensor that comes from a stream may have {Array.MaxLength}. " +
                        "Save the file to disk and open it there.")
                {
                    FileName = file,
                    TensorName = tensor.Name,
                };
            byte[] bytes = Read((int)length);
            if (bytes.Length < length) header.RequireDataLength(tensor.Begin + bytes.Length, file);
            data.Add(tensor.Name, bytes);
        }
        if (stream.ReadByte() >= 0)
            throw SafetensorsHeader.Bad(file, null, $"The stream goes on after the {header.DataLength} bytes that the tensors cover, " +
                "and no byte may be left over.");
        return data;
    }

    /// <summary>As many bytes as there are, at most <paramref name="length"/>; the buffer grows as they arrive.</summary>
    public byte[] Read(int length)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(Remaining is null ? Math.Min(length, FirstBlock) : (int)Math.Min(length, Remaining.Value));
        int filled = 0;
        while (filled < length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (filled == buffer.Length) Array.Resize(ref buffer, (int)Math.Min(length, Math.Max(FirstBlock, 2L * buffer.Length)));
            int read = stream.Read(buffer.AsSpan(filled, Math.Min(FirstBlock, buffer.Length - filled)));
            if (read == 0) break;
            filled += read;
        }
        if (filled < buffer.Length) Array.Resize(ref buffer, filled);
        return buffer;
    }
}
