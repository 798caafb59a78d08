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
