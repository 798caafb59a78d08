namespace ManagedTransformers.Models;

/// <summary>A tensor whose elements lie in a file with gaps or in another order than C's: a transposed or cut matrix.</summary>
internal sealed class StridedView(FileContent content, ElementType type, long byteOffset, long[] shape, long[] strides)
{
    private readonly Lock _gathering = new();
    private byte[]? _gathered;

    public ElementType Type => type;
    public IReadOnlyList<long> Shape => shape;

    /// <summary>All bytes in C order; made once.</summary>
    /// <exception cref="CheckpointException">They are more than an array holds.</exception>
    public ReadOnlySpan<byte> Gathered(string name)
    {
        content.ThrowIfEnded();
        lock (_gathering)
        {
            if (_gathered is not null) return _gathered;
            long length = type.ByteLength(shape);
            if (length > Array.MaxLength)
                throw new CheckpointException(
                    $"{name} in {content.Name} is a view with strides {TensorEntry.Describe(strides)}; it must be copied to be read, " +
                    $"and its {length} bytes are more than the {Array.MaxLength} of an array. " +
                    "Convert the checkpoint to safetensors (mtx convert), which stores it in order.")
                {
                    FileName = content.Name,
                    TensorName = name,
                };
            byte[] bytes = GC.AllocateUninitializedArray<byte>((int)length);
            CopyTo(0, bytes);
            return _gathered = bytes;
        }
    }

    /// <summary>Copies elements in C order, from one on, as many as the destination holds.</summary>
    public void CopyTo(long element, Span<byte> destination)
    {
        int size = type.Size();
        long columns = shape.Length == 0 ? 1 : shape[^1];
        long stride = shape.Length == 0 ? 1 : strides[^1];
        while (!destination.IsEmpty)
        {
            // One row, or the part of it that is asked for, at a time.
            (long row, long column) = Math.DivRem(element, columns);
            int count = (int)Math.Min(columns - column, destination.Length / size);
            CopyRow(byteOffset + (size * (RowStart(row) + (column * stride))), stride, destination[..(count * size)]);
            destination = destination[(count * size)..];
            element += count;
        }
    }

    /// <summary>Where a row begins in the storage, in elements: rows are counted through all axes but the last.</summary>
    private long RowStart(long row)
    {
        long start = 0;
        for (int axis = shape.Length - 2; axis >= 0; axis--)
        {
            (row, long index) = Math.DivRem(row, shape[axis]);
            start += index * strides[axis];
        }
        return start;
    }

    private void CopyRow(long offset, long stride, Span<byte> destination)
    {
        int size = type.Size();
        if (stride == 1)
        {
            content.Slice(offset, destination.Length).CopyTo(destination);
            return;
        }
        for (int at = 0; at < destination.Length; at += size, offset += stride * size)
            content.Slice(offset, size).CopyTo(destination.Slice(at, size));
    }
}
