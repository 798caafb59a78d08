namespace ManagedTransformers.Kernels;

/// <summary>All blocking constants of the matrix product.</summary>
/// <remarks>
/// A task owns RowBlock rows and one panel of TileColumns columns of Y. For each depth block it packs Depth × TileColumns of W
/// (48 KB at AVX-512: the panel lives in L1 and the near end of L2) and multiplies it with every tile of packed X (Depth × TileRows).
/// Depth is fixed, so that sums are cut at the same places whatever the threads.
/// </remarks>
internal static class Tiling
{
    /// <summary>Steps of k per packed panel.</summary>
    public const int Depth = 256;

    /// <summary>Rows of X packed at once; bounds the memory to RowBlock · k floats.</summary>
    public const int RowBlock = 480;

    /// <summary>Up to here a product reads the stored weight directly (GEMV), from here on it packs (GEMM).</summary>
    public const int GemvRows = 4;

    /// <summary>Rows of W per GEMV task are chosen so that a task reads about this many bytes.</summary>
    public const int GemvTaskBytes = 128 * 1024;

    /// <summary>How far ahead of its loads GEMV asks for bytes of W.</summary>
    public const int PrefetchBytes = 4096;

    /// <summary>Below this many multiply-adds a product is not worth waking another thread.</summary>
    public const long SerialWork = 1 << 18;
}
