namespace ManagedTransformers.Models;

/// <summary>A tensor as a pickle describes it: element [i, j, …] is element offset + i · strides[0] + j · strides[1] + … of its storage.</summary>
internal sealed record TorchTensor(TorchStorage Storage, ElementType Type, long Offset, long[] Shape, long[] Strides)
{
    private const int MaxAxes = 64;                        // as PyTorch

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
        if (shape.Items.Length <= MaxAxes && shape.Items.Length == strides.Items.Length
            && TryNumbers(shape, out long[] sizes) && TryNumbers(strides, out long[] steps))
            return new TorchTensor(storage, type, offset, sizes, steps);
        throw TorchErrors.Damaged(file, $"A tensor has a shape of {shape.Items.Length} axes and {strides.Items.Length} strides; needed are whole numbers, " +
            $"as many of both, at most {MaxAxes}.");
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
