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

    public FileLease Acquire() => _lifetime.Acquire();
    public void ThrowIfEnded() => _lifetime.ThrowIfEnded();
    public void Dispose() => _lifetime.Dispose();
}
