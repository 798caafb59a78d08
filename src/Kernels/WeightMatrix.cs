using System.Diagnostics;

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

#pragma warning disable CA1720 // Int8 and Int4 are what the field calls these formats
    /// <summary>Integers from −127 to 127 with a binary16 scale per 32: 8.5 bits each.</summary>
    Int8,

    /// <summary>Integers from −8 to 7 with a binary16 scale per 32: 4.5 bits each.</summary>
    Int4,
#pragma warning restore CA1720
}

/// <summary>A weight as its file has it: row-major [n, k] = [out, in], in its stored type, anywhere in memory (also unaligned).</summary>
[DebuggerDisplay("{Type} [{N}, {K}]")]
internal readonly ref struct WeightMatrix
{
    /// <summary>A view of <paramref name="data"/> as [<paramref name="n"/>, <paramref name="k"/>]; nothing is copied.</summary>
    /// <exception cref="ArgumentException"><paramref name="data"/> is not exactly n · k elements, or the type is unknown.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> or <paramref name="k"/> is negative.</exception>
    public WeightMatrix(ReadOnlySpan<byte> data, WeightType type, int n, int k)
    {
        Check.NotNegative(n);
        Check.NotNegative(k);
        if (IsBlocked(type) && k % Blocks.Pair != 0)
            throw new ArgumentException($"A {type} weight has {k} columns; a multiple of {Blocks.Pair} is needed, whole pairs of blocks.", nameof(k));
        if ((Int128)n * BytesOfRow(type, k) != data.Length)
            throw new ArgumentException($"A {type} weight [{n}, {k}] has {(Int128)n * BytesOfRow(type, k)} bytes; data has {data.Length}.", nameof(data));
        Data = data;
        Type = type;
        N = n;
        K = k;
    }

    /// <summary>The stored bytes, row after row.</summary>
    public ReadOnlySpan<byte> Data { get; }

    public WeightType Type { get; }

    /// <summary>Rows: output features.</summary>
    public int N { get; }

    /// <summary>Columns: input features.</summary>
    public int K { get; }

    public int RowBytes => checked((int)BytesOfRow(Type, K));

    /// <summary>Whether a type stores blocks of integers, which <see cref="Quantization"/> makes.</summary>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static bool IsBlocked(WeightType type) => RowOf(type, 0).IsBlocked;

    /// <summary>Bytes of a row of k elements.</summary>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static long BytesOfRow(WeightType type, int k) => RowOf(type, k).Bytes;

    /// <summary>Bytes of one element of <paramref name="type"/>.</summary>
    /// <exception cref="ArgumentException">The type is unknown, or stores elements in blocks.</exception>
    public static int ElementSize(WeightType type)
    {
        StoredRow one = RowOf(type, 1);
        return one.IsBlocked ? throw WeightFormats.NoElements(type) : (int)one.Bytes;
    }

    /// <summary>Row <paramref name="row"/> as stored.</summary>
    public ReadOnlySpan<byte> Row(int row)
    {
        // long: row · RowBytes of a valid row is below int.MaxValue, that of a wrong one may wrap around to a valid offset.
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, N);
        return Data.Slice(row * RowBytes, RowBytes);
    }

    private static StoredRow RowOf(WeightType type, int k)
    {
        var row = new StoredRow { K = k };
        WeightFormats.Visit(type, ref row);
        return row;
    }

    // What a format says of a row of K elements.
    private struct StoredRow : IFormatVisitor
    {
        public int K;
        public bool IsBlocked;
        public long Bytes;

        public void VisitFloats<TFormat>() where TFormat : struct, IWeightFormat => Bytes = TFormat.RowBytes(K);
        public void VisitBlocks<TFormat>() where TFormat : struct, IBlockFormat => (IsBlocked, Bytes) = (true, TFormat.RowBytes(K));
    }
}
