namespace ManagedTransformers.Kernels;

/// <summary>How a row of a weight is stored, element by element or in blocks: what GEMM needs of a format.</summary>
internal unsafe interface IRowFormat
{
    /// <summary>Bytes of a row of k elements.</summary>
    static abstract nint RowBytes(nint k);

    /// <summary>Elements first … first + length − 1 of a row of k elements as floats; first is a multiple of <see cref="Tiling.DepthStep"/>.</summary>
    static abstract void Decode<S, V>(byte* row, int k, int first, float* y, int length) where S : struct, ISimd<V>;
}
