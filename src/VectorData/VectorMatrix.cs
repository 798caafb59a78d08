using System.Numerics.Tensors;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>The vectors of a collection, [rows, dimensions]: one after the other in blocks of 4 MB, which a search reads from end to end.</summary>
/// <remarks>Blocks, because one array would have to be copied as it grows, and would need twice its memory for it. Not thread-safe.</remarks>
internal sealed class VectorMatrix(int dimensions)
{
    private const int BlockFloats = 1 << 20;

    private readonly List<float[]> _blocks = [];

    // 1 / |row|, 0 for a row of zeros; NaN marks a row that is missing.
    private float[] _inverseNorms = [];

    public int Dimensions => dimensions;

    public int Rows { get; private set; }

    public int RowsPerBlock { get; } = Math.Max(1, BlockFloats / dimensions);

    public int Blocks => (Rows + RowsPerBlock - 1) / RowsPerBlock;

    public bool IsMissing(int row) => float.IsNaN(_inverseNorms[row]);

    public Span<float> Row(int row) => _blocks[row / RowsPerBlock].AsSpan(row % RowsPerBlock * dimensions, dimensions);

    /// <summary>Rows of one block: their vectors, and 1 / |row| of each.</summary>
    public (ReadOnlyMemory<float> Vectors, ReadOnlyMemory<float> InverseNorms) Block(int block)
    {
        int first = block * RowsPerBlock, count = Math.Min(RowsPerBlock, Rows - first);
        return (_blocks[block].AsMemory(0, count * dimensions), _inverseNorms.AsMemory(first, count));
    }

    /// <summary>Adds a row; null: one that is missing.</summary>
    public void Add(ReadOnlyMemory<float>? vector)
    {
        if (Rows / RowsPerBlock == _blocks.Count)
            _blocks.Add(GC.AllocateUninitializedArray<float>(RowsPerBlock * dimensions));
        if (Rows == _inverseNorms.Length)
            Array.Resize(ref _inverseNorms, Math.Max(RowsPerBlock, 2 * Rows));
        Rows++;
        Set(Rows - 1, vector);
    }

    public void Set(int row, ReadOnlyMemory<float>? vector)
    {
        if (vector is not ReadOnlyMemory<float> numbers)
        {
            Row(row).Fill(float.NaN);
            _inverseNorms[row] = float.NaN;
            return;
        }
        numbers.Span.CopyTo(Row(row));
        float norm = TensorPrimitives.Norm(numbers.Span);
        _inverseNorms[row] = norm > 0 ? 1 / norm : 0;
    }

    /// <summary>Removes a row; the last one takes its place.</summary>
    public void Remove(int row)
    {
        int last = Rows - 1;
        Row(last).CopyTo(Row(row));
        _inverseNorms[row] = _inverseNorms[last];
        Rows = last;
        if (_blocks.Count > Blocks + 1)                  // one block of slack, so that a row that comes and goes allocates nothing
            _blocks.RemoveAt(_blocks.Count - 1);
    }
}
