namespace ManagedTransformers.Kernels;

/// <summary>All blocking constants of the matrix product.</summary>
/// <remarks>
/// A task owns WeightRows rows of W. Block by block of k it takes Depth columns of them (48 KB as floats) and multiplies them
/// with every panel of packed X (Depth × TileColumns: 48 KB at AVX-512): both stay in L1 or the near end of L2.
/// Depth is fixed, so that sums are cut at the same places whatever the threads.
/// </remarks>
internal static class Tiling
{
    /// <summary>Rows of W per task: a multiple of every tile's rows and of every vector's width.</summary>
    public const int WeightRows = 48;

    /// <summary>Steps of k per block.</summary>
    public const int Depth = 256;

    /// <summary>Up to this many rows of X, W comes from memory as fast as it is used: it is then read in long stretches.</summary>
    public const int ShallowRows = 32;

    /// <summary>Steps of k per block for so few rows.</summary>
    public const int LongDepth = 1024;

    /// <summary>Rows of X packed at once; bounds the memory to RowBlock · k floats.</summary>
    public const int RowBlock = 1024;

    /// <summary>Up to here a product reads the stored weight directly (GEMV), from here on it packs (GEMM).</summary>
    public const int GemvRows = 4;

    /// <summary>Rows of W per GEMV task are chosen so that a task reads about this many bytes.</summary>
    public const int GemvTaskBytes = 128 * 1024;

    /// <summary>How far ahead of its loads GEMV asks for bytes of W.</summary>
    public const int PrefetchBytes = 4096;

    /// <summary>Below this many multiply-adds a product is not worth waking another thread.</summary>
    public const long SerialWork = 1 << 18;
}
