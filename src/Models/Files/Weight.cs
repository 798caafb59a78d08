using System.Diagnostics;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>
/// A tensor as it is stored: name, element type, shape, and a view of its bytes (row-major, little-endian) in a mapped file or in memory.
/// Immutable and thread-safe.
/// </summary>
/// <remarks>
/// Spans of a mapped weight are good only while its checkpoint is not disposed. The bytes need not be aligned to the element size. A weight that a PyTorch file
/// stores as a view with gaps (a transposed matrix) is copied to memory when it is first read.
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
[DebuggerTypeProxy(typeof(WeightDebugView))]
public sealed class Weight
{
    private readonly long[] _shape;
    private readonly MappedFile? _mapped;
    private readonly long _offset;
    private readonly ReadOnlyMemory<byte> _memory;
    private readonly Lifetime? _lifetime;
    private readonly StridedView? _view;

    /// <summary>A weight over bytes in memory, which are not copied.</summary>
    /// <param name="name">Its name, as in a state dict.</param>
    /// <param name="type">How each element is encoded.</param>
    /// <param name="shape">The dimensions; empty for a scalar.</param>
    /// <param name="bytes">product(shape) · element size bytes.</param>
    /// <param name="file">The name of the file it came from, for messages.</param>
    /// <exception cref="ArgumentException">A dimension is negative, or the number of bytes does not fit the shape.</exception>
    public Weight(string name, ElementType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes, string file = "memory")
        : this(name, type, shape, bytes, file, lifetime: null)
    {
    }

    internal Weight(string name, ElementType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes, string file, Lifetime? lifetime)
        : this(name, type, shape, bytes.Length, file)
    {
        _memory = bytes;
        _lifetime = lifetime;
    }

    /// <summary>A weight inside a mapped file, which it does not own, from offset on.</summary>
    /// <exception cref="ArgumentException">A dimension is negative, or the bytes do not lie inside the file.</exception>
    internal Weight(string name, ElementType type, IReadOnlyList<long> shape, MappedFile file, long offset)
        : this(name, type, shape, byteLength: -1, (file ?? throw new ArgumentNullException(nameof(file))).Name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, file.Length - ByteLength);
        _mapped = file;
        _offset = offset;
    }

    /// <summary>A weight whose elements do not lie one after another; they are copied to C order when they are first read.</summary>
    internal Weight(string name, StridedView view, string file)
        : this(name, view.Type, view.Shape, byteLength: -1, file) => _view = view;

    /// <summary>A float32 weight of which name and shape alone are known; its bytes cannot be read.</summary>
    internal static Weight Meta(string name, IReadOnlyList<long> shape) => new(name, ElementType.F32, shape, byteLength: -1, "no file") { IsMeta = true };

    private Weight(string name, ElementType type, IReadOnlyList<long> shape, long byteLength, string file)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(file);
        (Name, Type, _shape, File) = (name, type, [.. shape], file);
        Shape = _shape.AsReadOnly();
        ByteLength = TensorEntry.CheckedByteLength(name, type, _shape);
        if (byteLength >= 0 && byteLength != ByteLength)
            throw new ArgumentException($"{name}: {byteLength} bytes given; {type.SafetensorsName()} {ShapeText} needs {ByteLength}.", nameof(shape));
    }

    /// <summary>The name in the checkpoint, such as <c>transformer.h.0.ln_1.weight</c>.</summary>
    public string Name { get; }

    /// <summary>How each element is encoded.</summary>
    public ElementType Type { get; }

    /// <summary>The dimensions, slowest first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Number of elements: the product of the shape, 1 for a scalar.</summary>
    public long ElementCount => ByteLength / Type.Size();

    /// <summary>Number of bytes; may exceed 2³¹.</summary>
    public long ByteLength { get; }

    /// <summary>Name of the file that holds it.</summary>
    public string File { get; }

    /// <summary>
    /// The blocks of integers that it holds, where it is the quantized matrix [n, k] of a linear layer: <see cref="Type"/> is then U8 and <see cref="Shape"/>
    /// [n, bytes of a row], as <see cref="WeightMatrix"/> reads them. Null where it holds plain elements.
    /// </summary>
    public WeightType? BlockType { get; internal init; }

    /// <summary>The shape as messages write it: <c>[1024, 4096]</c>.</summary>
    public string ShapeText => TensorEntry.Describe(_shape);

    /// <summary>Whether there are no bytes.</summary>
    internal bool IsMeta { get; private init; }

    /// <summary>Whether reading spans makes a copy that stays; <see cref="CopyBytes"/> does not.</summary>
    internal bool IsStrided => _view is not null;

    /// <summary>All bytes.</summary>
    /// <exception cref="InvalidOperationException">There are more than 2³¹ − 1; read them with <see cref="Slice"/>.</exception>
    /// <exception cref="ObjectDisposedException">The checkpoint was disposed.</exception>
    public ReadOnlySpan<byte> Bytes => ByteLength <= int.MaxValue
        ? Slice(0, (int)ByteLength)
        : throw new InvalidOperationException($"{Name} has {ByteLength} bytes, a span holds at most {int.MaxValue}. Read it in parts with Slice.");

    /// <summary>Some of the bytes.</summary>
    /// <param name="byteOffset">First byte, counted from the start of this weight.</param>
    /// <param name="byteLength">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the weight.</exception>
    /// <exception cref="ObjectDisposedException">The checkpoint was disposed.</exception>
    public ReadOnlySpan<byte> Slice(long byteOffset, int byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteOffset, ByteLength - byteLength);
        if (_mapped is not null) return _mapped.Slice(_offset + byteOffset, byteLength);
        if (IsMeta) throw new InvalidOperationException($"{Name} has a shape and no numbers: its model was opened without weights, and cannot run.");
        if (_view is not null) return _view.Gathered(Name).Slice((int)byteOffset, byteLength);
        _lifetime?.ThrowIfEnded();
        return _memory.Span.Slice((int)byteOffset, byteLength);
    }

    /// <summary>Copies some of the bytes: whole elements. No page of a mapped file stays in memory for it.</summary>
    internal void CopyBytes(long byteOffset, Span<byte> destination)
    {
        if (_mapped is not null) _mapped.Read(_offset + byteOffset, destination);
        else if (_view is not null) _view.CopyTo(byteOffset / Type.Size(), destination);
        else Slice(byteOffset, destination.Length).CopyTo(destination);
    }

    /// <summary>Says that the bytes were read and are not needed again: the pages of a mapped file need not stay in memory.</summary>
    internal void GiveBack()
    {
        _mapped?.GiveBack(_offset, ByteLength);
        _view?.GiveBack();
    }

    /// <summary>Whether both hold the same elements.</summary>
    internal bool HasBytesOf(Weight other)
    {
        if (Type != other.Type || !_shape.AsSpan().SequenceEqual(other._shape)) return false;
        byte[] block = new byte[(int)Math.Min(1 << 20, ByteLength)], otherBlock = new byte[block.Length];
        for (long at = 0; at < ByteLength; at += block.Length)
        {
            int length = (int)Math.Min(block.Length, ByteLength - at);
            CopyBytes(at, block.AsSpan(0, length));
            other.CopyBytes(at, otherBlock.AsSpan(0, length));
            if (!block.AsSpan(0, length).SequenceEqual(otherBlock.AsSpan(0, length))) return false;
        }
        return true;
    }

    /// <summary>A copy as float32, whatever the stored type; see <see cref="CopyTo"/>.</summary>
    /// <exception cref="NotSupportedException">The type is an 8-bit float.</exception>
    /// <exception cref="InvalidOperationException">There are more elements than an array holds.</exception>
    public float[] ToSingle()
    {
        float[] values = GC.AllocateUninitializedArray<float>(ElementConversion.ArrayLength(this));
        CopyTo(values);
        return values;
    }

    /// <summary>
    /// Converts the elements to float32: F16 and BF16 exactly, F64 and wide integers rounded to the nearest (F64 beyond float32's range becomes
    /// infinite), booleans to 0 and 1.
    /// </summary>
    /// <param name="destination">Exactly <see cref="ElementCount"/> values.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    /// <exception cref="NotSupportedException">The type is an 8-bit float.</exception>
    public void CopyTo(Span<float> destination) => ElementConversion.ToSingle(this, destination);

    /// <summary>A copy of an integer or boolean weight as int64: ids, masks, labels.</summary>
    /// <exception cref="NotSupportedException">The type is a float.</exception>
    /// <exception cref="OverflowException">A U64 value exceeds 2⁶³ − 1.</exception>
    public long[] ToInt64() => ElementConversion.ToInt64(this);

    /// <summary>Name, type and shape.</summary>
    public override string ToString() => $"{Name} {Type.SafetensorsName()} {ShapeText}";
}

/// <summary>A stored tensor as a debugger opens it: where it comes from, and its rows as numbers, read when they are looked at.</summary>
internal sealed class WeightDebugView(Weight weight)
{
    public string Name => weight.Name;
    public ElementType Type => weight.Type;
    public long[] Shape => [.. weight.Shape];
    public string File => weight.File;
    public long ByteLength => weight.ByteLength;

    /// <summary>Whether it can be read: not once its checkpoint was disposed and the last session with it.</summary>
    public string State => Read(0, 0) is null ? "disposed" : "readable";

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public object[] Rows => new NumberRows(Shape, (start, count) => Read(start, count) ?? []).Items();

    private float[]? Read(long start, int count)
    {
        try
        {
            var bytes = new byte[count * weight.Type.Size()];
            weight.CopyBytes(start * weight.Type.Size(), bytes);
            var values = new float[count];
            ElementConversion.Widen(weight, bytes, values);
            return values;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
        catch (NotSupportedException)
        {
            return [];                    // 8-bit floats
        }
    }
}
