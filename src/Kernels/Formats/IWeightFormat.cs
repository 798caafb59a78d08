using System.Runtime.CompilerServices;

namespace ManagedTransformers.Kernels;


/// <summary>
/// How the elements of a stored row become floats, and floats elements. A format is one struct in one file: GEMM uses it when it
/// packs a panel, GEMV and attention inside the dot product, embeddings when they copy a row, a cache when it grows.
/// </summary>
internal unsafe interface IWeightFormat : IRowFormat
{
    /// <summary>Elements <paramref name="index"/> … <paramref name="index"/> + Width − 1; the index is a multiple of Width.</summary>
    static abstract V Widen<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V>;

    /// <summary>The same elements as a dot product takes them: times whatever makes decoding cheap.</summary>
    /// <remarks>
    /// X is multiplied by <see cref="InputScale"/> before and the sum by <see cref="SumScale"/> after; all are powers of two, so nothing is rounded.
    /// </remarks>
    static abstract V WidenScaled<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V>;

    /// <summary>What <see cref="Widen"/> and <see cref="WidenScaled"/> need again and again; made before a loop.</summary>
    static abstract Decoding<V> Decoding<S, V>() where S : struct, ISimd<V>;

    /// <summary>What X is multiplied by before a dot product with <see cref="WidenScaled"/>.</summary>
    static abstract float InputScale { get; }

    /// <summary>What the sum is multiplied by after it.</summary>
    static abstract float SumScale { get; }

    /// <summary>Element <paramref name="index"/>.</summary>
    static abstract float WidenOne(byte* row, nint index);

    /// <summary>Stores a vector as elements <paramref name="index"/> … <paramref name="index"/> + Width − 1, rounded to nearest, ties to even.</summary>
    static abstract void Narrow<S, V>(V values, byte* row, nint index) where S : struct, ISimd<V>;

    /// <summary>Stores element <paramref name="index"/>.</summary>
    static abstract void NarrowOne(float value, byte* row, nint index);
}

/// <summary>Vectors that decoding needs all the time, in registers.</summary>
/// <remarks>
/// Constants in the code would do, but the JIT loads those from memory wherever they are used: half as many instructions again in a loop that they bound.
/// </remarks>
internal struct Decoding<V>
{
    public V Magnitude, Exponent, Two, Subnormal, Sign;
}

/// <summary>How a row of a weight is stored, element by element or in blocks: what GEMM needs of a format.</summary>
internal unsafe interface IRowFormat
{
    /// <summary>Bytes of a row of k elements.</summary>
    static abstract nint RowBytes(nint k);

    /// <summary>Elements first … first + length − 1 of a row of k elements as floats; first is a multiple of <see cref="Tiling.DepthStep"/>.</summary>
    static abstract void Decode<S, V>(byte* row, int k, int first, float* y, int length) where S : struct, ISimd<V>;
}

/// <summary>IEEE 754 binary32.</summary>
internal readonly unsafe struct F32Format : IWeightFormat
{
    public static nint RowBytes(nint k) => 4 * k;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V> => S.Load((float*)row + index);

    public static float InputScale => 1;
    public static float SumScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V WidenScaled<S, V>(byte* row, nint index, in Decoding<V> decoding) where S : struct, ISimd<V> => Widen<S, V>(row, index, decoding);

    public static Decoding<V> Decoding<S, V>() where S : struct, ISimd<V> => default;

    public static void Decode<S, V>(byte* row, int k, int first, float* y, int length)
        where S : struct, ISimd<V> => Widening.Body<S, V, F32Format>(row, first, y, length);

    public static float WidenOne(byte* row, nint index) => Unsafe.ReadUnaligned<float>(row + (4 * index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow<S, V>(V values, byte* row, nint index) where S : struct, ISimd<V> => S.Store((float*)row + index, values);

    public static void NarrowOne(float value, byte* row, nint index) => Unsafe.WriteUnaligned(row + (4 * index), value);
}

/// <summary>A stored row to floats.</summary>
internal static unsafe class Widening
{
    /// <summary>A row of a type that stores elements one by one.</summary>
    public static void Run<S, V>(byte* row, WeightType type, float* y, nint length) where S : struct, ISimd<V>
    {
        var visitor = new Visitor<S, V> { Row = row, Y = y, Length = length };
        WeightFormats.VisitFloats(type, ref visitor);
    }

    /// <summary>Elements first … first + length − 1 of a stored row; prefetches what follows, as rows mostly do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(byte* row, nint first, float* y, nint length)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        Decoding<V> decoding = TFormat.Decoding<S, V>();
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width)
        {
            S.Prefetch(row + TFormat.RowBytes(first + i) + Tiling.PrefetchBytes);
            S.Store(y + i, TFormat.Widen<S, V>(row, first + i, decoding));
        }
        for (; i < length; i++) y[i] = TFormat.WidenOne(row, first + i);
    }

    private struct Visitor<S, V> : IFloatFormatVisitor where S : struct, ISimd<V>
    {
        public byte* Row;
        public float* Y;
        public nint Length;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat => Body<S, V, TFormat>(Row, 0, Y, Length);
    }
}

/// <summary>Floats to a stored row.</summary>
internal static unsafe class Narrowing
{
    /// <summary>To a type that stores elements one by one.</summary>
    public static void Run<S, V>(float* x, WeightType type, byte* row, nint length) where S : struct, ISimd<V>
    {
        var visitor = new Visitor<S, V> { X = x, Row = row, Length = length };
        WeightFormats.VisitFloats(type, ref visitor);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Body<S, V, TFormat>(float* x, byte* row, nint length)
        where S : struct, ISimd<V>
        where TFormat : struct, IWeightFormat
    {
        nint i = 0;
        for (; i <= length - S.Width; i += S.Width) TFormat.Narrow<S, V>(S.Load(x + i), row, i);
        for (; i < length; i++) TFormat.NarrowOne(x[i], row, i);
    }

    private struct Visitor<S, V> : IFloatFormatVisitor where S : struct, ISimd<V>
    {
        public float* X;
        public byte* Row;
        public nint Length;

        public readonly void Visit<TFormat>() where TFormat : struct, IWeightFormat => Body<S, V, TFormat>(X, Row, Length);
    }
}
