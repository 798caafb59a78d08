using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Models;

/// <summary>A tensor that <see cref="SafetensorsWriter"/> is to write: its description now, its bytes when their turn comes.</summary>
[DebuggerDisplay("{Name,nq} {Type,nq}")]
internal sealed class TensorEntry
{
    /// <summary>Most axes of a tensor in any file, as PyTorch has them: what prints or multiplies a shape need not fear its length.</summary>
    internal const int MaxAxes = 64;

    private const int BlockBytes = 1 << 20;

    private readonly long[] _shape;
    private readonly Action<Stream, CancellationToken> _write;

    /// <summary>
    /// A tensor whose bytes (product(shape) · element size, row-major, little-endian) are produced while the file is written, so that large ones never exist
    /// as a whole.
    /// </summary>
    /// <exception cref="ArgumentException">The name is reserved, a dimension is negative, there are more than 64, or the size overflows.</exception>
    public TensorEntry(string name, ElementType type, IReadOnlyList<long> shape, Action<Stream> write)
        : this(name, type, shape, (stream, _) => write(stream)) => ArgumentNullException.ThrowIfNull(write);

    /// <summary>A tensor over bytes in memory, which are not copied.</summary>
    /// <inheritdoc cref="TensorEntry(string, ElementType, IReadOnlyList{long}, Action{Stream})"/>
    public TensorEntry(string name, ElementType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes)
        : this(name, type, shape, (stream, cancellation) => WriteBlocks(stream, bytes.Length, (at, n) => bytes.Span.Slice((int)at, n), cancellation)) =>
        RequireLength(bytes.Length, nameof(bytes));

    internal TensorEntry(string name, ElementType type, IReadOnlyList<long> shape, Action<Stream, CancellationToken> write)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        if (name == SafetensorsHeader.MetadataName)
            throw new ArgumentException($"{name} is reserved for the file's metadata. Give the tensor another name.", nameof(name));
        (Name, Type, _shape, _write) = (name, type, [.. shape], write);
        Shape = _shape.AsReadOnly();
        ByteLength = CheckedByteLength(name, type, _shape);
    }

    public string Name { get; }
    public ElementType Type { get; }
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Bytes that it takes in the file.</summary>
    public long ByteLength { get; }

    /// <summary>A float32 tensor.</summary>
    /// <exception cref="ArgumentException">The number of values does not fit the shape.</exception>
    public static TensorEntry Create(string name, IReadOnlyList<long> shape, ReadOnlyMemory<float> values) => Create(name, ElementType.F32, shape, values);

    /// <summary>An int64 tensor.</summary>
    /// <inheritdoc cref="Create(string, IReadOnlyList{long}, ReadOnlyMemory{float})"/>
    public static TensorEntry Create(string name, IReadOnlyList<long> shape, ReadOnlyMemory<long> values) => Create(name, ElementType.I64, shape, values);

    /// <summary>An int32 tensor.</summary>
    /// <inheritdoc cref="Create(string, IReadOnlyList{long}, ReadOnlyMemory{float})"/>
    public static TensorEntry Create(string name, IReadOnlyList<long> shape, ReadOnlyMemory<int> values) => Create(name, ElementType.I32, shape, values);

    /// <summary>A weight as it is stored, under its own name or another.</summary>
    public static TensorEntry Create(Weight weight, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        Block block = weight.Slice;
        if (weight.IsStrided)
        {
            // A block at a time: a span of the weight would gather all of it, and keep that.
            byte[] buffer = new byte[(int)Math.Min(BlockBytes, weight.ByteLength)];
            block = (at, n) =>
            {
                weight.CopyBytes(at, buffer.AsSpan(0, n));
                return buffer.AsSpan(0, n);
            };
        }
        return new(name ?? weight.Name, weight.Type, weight.Shape, (stream, cancellation) => WriteBlocks(stream, weight.ByteLength, block, cancellation));
    }

    /// <summary>The size, or an exception that says what is wrong with the shape.</summary>
    internal static long CheckedByteLength(string name, ElementType type, ReadOnlySpan<long> shape)
    {
        if (shape.Length > MaxAxes)
            throw new ArgumentException($"{name} has a shape of {shape.Length} dimensions; a file holds tensors of at most {MaxAxes}.", nameof(shape));
        foreach (long dimension in shape)
            if (dimension < 0) throw new ArgumentException($"{name} has shape {Describe(shape)}; dimensions must not be negative.", nameof(shape));
        try
        {
            return type.ByteLength(shape);
        }
        catch (OverflowException e)
        {
            throw new ArgumentException($"{name} has shape {Describe(shape)}, which is more than 2^63 - 1 bytes.", nameof(shape), e);
        }
    }

    internal static string Describe(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";
    internal void WriteTo(Stream stream, CancellationToken cancellationToken) => _write(stream, cancellationToken);

    private static TensorEntry Create<T>(string name, ElementType type, IReadOnlyList<long> shape, ReadOnlyMemory<T> values)
        where T : unmanaged
    {
        int size = type.Size();
        long byteLength = (long)values.Length * size;
        var entry = new TensorEntry(name, type, shape, (stream, cancellation) => WriteBlocks(
            stream, byteLength, (at, n) => MemoryMarshal.AsBytes(values.Span.Slice((int)(at / size), n / size)), cancellation));
        entry.RequireLength(byteLength, nameof(values));
        return entry;
    }

    private void RequireLength(long given, string parameter)
    {
        if (given != ByteLength)
            throw new ArgumentException($"{Name}: {given} bytes given; {Type.SafetensorsName()} {Describe(_shape)} needs {ByteLength}.", parameter);
    }

    private delegate ReadOnlySpan<byte> Block(long offset, int length);

    private static void WriteBlocks(Stream stream, long length, Block block, CancellationToken cancellationToken)
    {
        for (long at = 0; at < length; at += BlockBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            stream.Write(block(at, (int)Math.Min(BlockBytes, length - at)));
        }
    }
}
