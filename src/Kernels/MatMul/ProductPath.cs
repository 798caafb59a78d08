namespace ManagedTransformers.Kernels;

/// <summary>The ways to compute a product of m rows of X with W.</summary>
internal enum ProductPath
{
    /// <summary>Plain loops with double sums.</summary>
    Reference,

    /// <summary>
    /// Few rows: dot products straight from the stored rows of W, each read from memory once. Beside blocks of integers X becomes 16-bit integers.
    /// </summary>
    Streamed,

    /// <summary>The same with four-bit integers and X as signed bytes: two thirds of the instructions.</summary>
    StreamedInNibbles,

    /// <summary>Many rows: X is packed, and tiles of sums in registers multiply it with W, decoded to floats.</summary>
    Tiled,

    /// <summary>9 to 16 rows at AVX-512, where a tile takes four steps of k at a time.</summary>
    TiledInQuads,

    /// <summary>Many rows and blocks of integers: X becomes bytes, and bytes are multiplied.</summary>
    TiledInBytes,
}

/// <summary>Chooses among them.</summary>
internal static class ProductPaths
{
    // Rows that are whole vectors of bytes at every level, so that levels agree.
    private const int NibbleMultiple = 2 * Blocks.Pair;

    /// <summary>The way to take for m rows of X and k columns. It depends neither on n nor on the threads, so that results do not.</summary>
    /// <exception cref="ArgumentException">The level or the type is unknown.</exception>
    public static ProductPath Choose(KernelLevel level, WeightType type, int m, int k)
    {
        bool blocked = WeightMatrix.IsBlocked(type);
        bool multipliesBytes = level switch
        {
            KernelLevel.Avx512 or KernelLevel.Avx2 => true,
            KernelLevel.Portable or KernelLevel.Reference => false,
            _ => throw KernelDispatch.Unknown(level),
        };
        if (level == KernelLevel.Reference || k == 0) return ProductPath.Reference;
        if (m <= MatMul.StreamedRows)
            return type == WeightType.Int4 && multipliesBytes && k % NibbleMultiple == 0 ? ProductPath.StreamedInNibbles : ProductPath.Streamed;
        if (blocked && multipliesBytes) return ProductPath.TiledInBytes;
        return !blocked && level == KernelLevel.Avx512 && m <= QuadTile.Columns ? ProductPath.TiledInQuads : ProductPath.Tiled;
    }
}
