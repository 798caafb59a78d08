namespace ManagedTransformers.Kernels;

/// <summary>How a weight is stored, little-endian.</summary>
public enum WeightType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,
}

/// <summary>A weight as its file has it: row-major [n, k] = [out, in], in its stored type, anywhere in memory (also unaligned).</summary>
public readonly ref struct WeightMatrix
{
    /// <summary>A view of <paramref name="data"/> as [<paramref name="n"/>, <paramref name="k"/>]; nothing is copied.</summary>
    /// <exception cref="ArgumentException"><paramref name="data"/> is not exactly n · k elements, or the type is unknown.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> or <paramref name="k"/> is negative.</exception>
    public WeightMatrix(ReadOnlySpan<byte> data, WeightType type, int n, int k)
    {
        Check.NotNegative(n);
        Check.NotNegative(k);
        int size = ElementSize(type);
        if ((Int128)n * k * size != data.Length)
            throw new ArgumentException($"A {type} weight [{n}, {k}] has {(Int128)n * k * size} bytes; data has {data.Length}.", nameof(data));
        Data = data;
        Type = type;
        N = n;
        K = k;
    }

    /// <summary>The stored bytes, row after row.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>The stored type.</summary>
    public WeightType Type { get; }

    /// <summary>Rows: output features.</summary>
    public int N { get; }

    /// <summary>Columns: input features.</summary>
    public int K { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public int RowBytes => K * ElementSize(Type);

    /// <summary>Bytes of one element of <paramref name="type"/>.</summary>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static int ElementSize(WeightType type) => type switch
    {
        WeightType.F32 => 4,
        WeightType.F16 or WeightType.BF16 => 2,
        _ => throw new ArgumentException($"{type} is no weight type; known are {string.Join(", ", Enum.GetNames<WeightType>())}.", nameof(type)),
    };

    /// <summary>Row <paramref name="row"/> as stored.</summary>
    public ReadOnlySpan<byte> Row(int row)
    {
        // long: row · RowBytes of a valid row is below int.MaxValue, that of a wrong one may wrap around to a valid offset.
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, N);
        return Data.Slice(row * RowBytes, RowBytes);
    }
}
