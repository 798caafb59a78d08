using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Models;


/// <summary>A float32 array with a name and a shape, rows contiguous (C order).</summary>
/// <remarks>Tensors that a model returns belong to the caller. Kernels never see this class: they take spans and sizes.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
[DebuggerTypeProxy(typeof(TensorDebugView))]
public sealed class FloatTensor
{
    private float[] _data;
    private int[] _shape;

    /// <summary>A tensor of zeros.</summary>
    /// <param name="name">The Hugging Face name, such as <c>hidden_states.0</c>.</param>
    /// <param name="shape">The sizes of the axes; none for a scalar.</param>
    /// <exception cref="ArgumentException">A size is negative, or the elements are more than an array holds.</exception>
    public FloatTensor(string name, params ReadOnlySpan<int> shape)
    {
        Name = name;
        _shape = shape.ToArray();
        Length = CountElements(name, shape);
        _data = new float[Length];
    }

    /// <summary>A tensor over <paramref name="data"/>, which it does not copy.</summary>
    /// <param name="data">The elements, in C order.</param>
    /// <param name="name">The Hugging Face name.</param>
    /// <param name="shape">The sizes of the axes; their product is the length of <paramref name="data"/>.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many elements as <paramref name="data"/>.</exception>
    public FloatTensor(float[] data, string name, params ReadOnlySpan<int> shape)
    {
        ArgumentNullException.ThrowIfNull(data);
        Name = name;
        _shape = shape.ToArray();
        Length = CountElements(name, shape);
        if (Length != data.Length)
            throw new ArgumentException($"{name}: shape [{string.Join(", ", _shape)}] holds {Length} elements, but there are {data.Length}.", nameof(shape));
        _data = data;
    }

    /// <summary>The Hugging Face name, such as <c>attentions.0</c>.</summary>
    public string Name { get; private set; }

    /// <summary>The sizes of the axes.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>The number of axes.</summary>
    public int Rank => _shape.Length;

    /// <summary>The number of elements.</summary>
    public int Length { get; private set; }

    /// <summary>All elements in C order.</summary>
    public Span<float> Span => _data.AsSpan(0, Length);

    /// <summary>The element at an index of one number per axis.</summary>
    /// <exception cref="ArgumentException">There are not as many numbers as axes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its axis.</exception>
    public float this[params ReadOnlySpan<int> index] => _data[Offset(index)];

    /// <summary>The last axis at position <paramref name="row"/> of all the others flattened.</summary>
    /// <param name="row">0 … Length / last size − 1.</param>
    public Span<float> Row(int row)
    {
        int width = _shape[^1];
        return Span.Slice(checked(row * width), width);
    }

    /// <summary>A copy of the elements in C order.</summary>
    public float[] ToArray() => Span.ToArray();

    /// <summary>The shape as messages show it: <c>[2, 3]</c>.</summary>
    internal string ShapeText => $"[{string.Join(", ", _shape)}]";

    /// <summary>Bytes that it holds on to, which <see cref="Reuse"/> may make more than it shows.</summary>
    internal long CapacityBytes => (long)_data.Length * sizeof(float);

    /// <summary>A copy under another name.</summary>
    public FloatTensor Copy(string name) => new(ToArray(), name, _shape);

    /// <summary>Makes this tensor [rows, columns] of undefined content, reusing its memory where that is large enough.</summary>
    internal void Reuse(string name, int rows, int columns)
    {
        int length = checked(rows * columns);
        if (_data.Length < length)
            _data = GC.AllocateUninitializedArray<float>(length);
        if (_shape.Length != 2)
            _shape = new int[2];
        (Name, Length, _shape[0], _shape[1]) = (name, length, rows, columns);
    }

    private int Offset(ReadOnlySpan<int> index)
    {
        if (index.Length != _shape.Length)
            throw new ArgumentException($"{Name} has {_shape.Length} axes; the index has {index.Length} numbers.", nameof(index));
        int offset = 0;
        for (int axis = 0; axis < index.Length; axis++)
        {
            if ((uint)index[axis] >= (uint)_shape[axis])
                throw new ArgumentOutOfRangeException(nameof(index), $"{Name}: index {index[axis]} of axis {axis} is outside 0 … {_shape[axis] - 1}.");
            offset = offset * _shape[axis] + index[axis];
        }
        return offset;
    }

    private static int CountElements(string name, ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int size in shape)
        {
            if (size < 0)
                throw new ArgumentException($"{name}: a size of {size} is negative.", nameof(shape));
            count *= size;
            if (count > Array.MaxLength)
                throw new ArgumentException($"{name}: shape [{string.Join(", ", shape.ToArray())}] has more than {Array.MaxLength} elements.", nameof(shape));
        }
        return (int)count;
    }

    private string DebuggerText => Length == 1
        ? string.Create(CultureInfo.InvariantCulture, $"{Name} {ShapeText} = {_data[0]:G4}")
        : $"{Name} {ShapeText} {NumberSummary.Of(Span)}".TrimEnd();
}

/// <summary>A tensor as a debugger opens it: its shape, what its numbers are like, and its rows by index.</summary>
internal sealed class TensorDebugView(FloatTensor tensor)
{
    public string Name => tensor.Name;

    public int[] Shape => tensor.Shape.ToArray();

    public NumberSummary Numbers => NumberSummary.Of(tensor.Span);

    [DebuggerBrowsable(DebuggerBrowsableState.RootHidden)]
    public object[] Rows => new NumberRows([.. Shape.Select(size => (long)size)], Read).Items();

    private float[] Read(long start, int count) => start + count <= tensor.Length ? tensor.Span.Slice((int)start, count).ToArray() : [];
}
