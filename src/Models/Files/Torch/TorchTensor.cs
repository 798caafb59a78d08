namespace ManagedTransformers.Models;


/// <summary>A tensor as a pickle describes it: element [i, j, …] is element offset + i · strides[0] + j · strides[1] + … of its storage.</summary>
internal sealed record TorchTensor(TorchStorage Storage, ElementType Type, long Offset, long[] Shape, long[] Strides)
{
    /// <summary>A view of so few bytes may repeat elements (expand); a larger one would make much of little.</summary>
    private const long MaxRepeatedBytes = 1 << 26;

    /// <summary>First byte in the storage.</summary>
    public long ByteOffset => Storage.ViewByteOffset + (Offset * Type.Size());

    /// <summary>Whether the elements lie one after another in C order. The stride of an axis with one element does not matter.</summary>
    public bool IsContiguous
    {
        get
        {
            if (Array.IndexOf(Shape, 0) >= 0) return true;
            long expected = 1;
            for (int axis = Shape.Length - 1; axis >= 0; axis--)
            {
                if (Shape[axis] != 1 && Strides[axis] != expected) return false;
                expected *= Shape[axis];
            }
            return true;
        }
    }

    private string Described => $"It is {Type.SafetensorsName()} {SafetensorsHeader.Shown(TensorEntry.Describe(Shape))} with strides " +
        $"{SafetensorsHeader.Shown(TensorEntry.Describe(Strides))} from element {Offset}";

    /// <exception cref="CheckpointException">Shape and strides are not lists of as many whole numbers.</exception>
    public static TorchTensor Create(TorchStorage storage, ElementType type, long offset, PickleTuple shape, PickleTuple strides, string file)
    {
        if (shape.Items.Length <= TensorEntry.MaxAxes && shape.Items.Length == strides.Items.Length
            && TryNumbers(shape, out long[] sizes) && TryNumbers(strides, out long[] steps))
            return new TorchTensor(storage, type, offset, sizes, steps);
        throw TorchErrors.Damaged(file, $"A tensor has a shape of {shape.Items.Length} axes and {strides.Items.Length} strides; needed are whole numbers, " +
            $"as many of both, at most {TensorEntry.MaxAxes}.");
    }

    /// <summary>The tensor, known to lie in its storage; one without elements lies at its start.</summary>
    /// <exception cref="CheckpointException">It reaches beyond its storage, or its numbers are impossible.</exception>
    public TorchTensor Checked(string name, string file)
    {
        if (Offset < 0 || Shape.AsSpan().ContainsAnyExceptInRange(0, long.MaxValue) || Strides.AsSpan().ContainsAnyExceptInRange(0, long.MaxValue))
            throw TorchErrors.BadTensor(file, name, $"{Described}; negative numbers are not allowed.");
        if (Array.IndexOf(Shape, 0) >= 0) return this with { Offset = 0, Shape = EmptyShape(name, file) };

        long available = Storage.ViewByteLength / Type.Size();
        try
        {
            long last = Offset;
            for (int axis = 0; axis < Shape.Length; axis++) last = checked(last + ((Shape[axis] - 1) * Strides[axis]));
            if (last >= available)
                throw TorchErrors.BadTensor(file, name, $"{Described}, up to element {last}; " +
                    $"its storage {SafetensorsHeader.Shown(Storage.Key)} has {available}.");
            long bytes = Type.ByteLength(Shape);
            if (bytes > Storage.ViewByteLength && bytes > MaxRepeatedBytes)
                throw TorchErrors.BadTensor(file, name, $"{Described}, {bytes} bytes made of a storage of {Storage.ViewByteLength}.");
        }
        catch (OverflowException)
        {
            throw TorchErrors.BadTensor(file, name, $"{Described}, which is more than 2^63 - 1 bytes.");
        }
        return this;
    }

    private static bool TryNumbers(PickleTuple tuple, out long[] numbers)
    {
        numbers = new long[tuple.Items.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (tuple.Items[i] is not long number) return false;
            numbers[i] = number;
        }
        return true;
    }

    /// <summary>The other sizes of a tensor without elements must still be numbers that the rest of the code can multiply.</summary>
    private long[] EmptyShape(string name, string file)
    {
        try
        {
            _ = Type.ByteLength([.. Shape.Where(size => size != 0)]);
            return Shape;
        }
        catch (OverflowException)
        {
            throw TorchErrors.BadTensor(file, name, $"{Described}; its sizes are impossible.");
        }
    }
}

/// <summary>A storage that a pickle names: one run of elements, which several tensors may share.</summary>
/// <param name="Key">Its name in the file.</param>
/// <param name="Type">What it holds; null for bytes whose tensors say it (UntypedStorage).</param>
/// <param name="Count">Elements, or bytes where it has no type.</param>
/// <param name="ViewOffset">Where the part begins that this reference means, in elements.</param>
/// <param name="ViewCount">Elements of that part.</param>
internal sealed record TorchStorage(string Key, ElementType? Type, long Count, long ViewOffset, long ViewCount)
{
    private int ElementSize => Type?.Size() ?? 1;

    public long ByteLength => Count * ElementSize;
    public long ViewByteOffset => ViewOffset * ElementSize;
    public long ViewByteLength => ViewCount * ElementSize;

    /// <summary>Whether both are references to one storage.</summary>
    public bool IsSameRoot(TorchStorage other) => (other.Type, other.Count) == (Type, Count);

    /// <summary>
    /// Reads <c>("storage", class, key, location, count)</c>; before PyTorch 1.6 a sixth item says which part is meant, None for all,
    /// else <c>(key of the part, offset, count)</c>.
    /// </summary>
    /// <exception cref="CheckpointException">It is something else, or its size is impossible.</exception>
    public static TorchStorage FromPersistentId(object? id, string file)
    {
        if (id is not PickleTuple { Items: ["storage", TorchGlobal { Kind: TorchGlobalKind.Storage } type, string key, string, long count, .. object?[] rest] }
            || rest.Length > 1)
            throw TorchErrors.Refused(file, $"Its pickle refers to something outside itself that is no storage: {PickleValues.Describe(id)}.");
        if (count < 0 || count > long.MaxValue / (type.Type?.Size() ?? 1))
            throw TorchErrors.Damaged(file, $"The storage {SafetensorsHeader.Shown(key)} claims {count} elements.");
        return rest switch
        {
            [] or [null] => new TorchStorage(key, type.Type, count, 0, count),
            [PickleTuple { Items: [string, long offset, long viewCount] }] when offset >= 0 && viewCount >= 0 && offset <= count - viewCount =>
                new TorchStorage(key, type.Type, count, offset, viewCount),
            _ => throw TorchErrors.Damaged(file, $"The part of the storage {SafetensorsHeader.Shown(key)} that is meant does not lie in its {count} elements."),
        };
    }
}

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
            GiveBack();
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

    /// <summary>Says that the elements were read and are not needed again.</summary>
    public void GiveBack()
    {
        long last = shape.Zip(strides, (size, stride) => (size - 1) * stride).Sum();
        content.GiveBack(byteOffset, (last + 1) * type.Size());
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
