using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;


/// <summary>One of several products that are computed together: Y = act(X · Wᵀ + bias) + residual.</summary>
/// <param name="x">X, row-major [m, k].</param>
/// <param name="weight">W, [n, k].</param>
/// <param name="y">Y, row-major [m, n].</param>
/// <param name="epilogue">Bias, activation and residual.</param>
internal readonly ref struct Product(ReadOnlySpan<float> x, WeightMatrix weight, Span<float> y, Epilogue epilogue)
{
    public ReadOnlySpan<float> X { get; } = x;
    public WeightMatrix Weight { get; } = weight;
    public Span<float> Y { get; } = y;
    public Epilogue Epilogue { get; } = epilogue;
}

/// <summary>What happens to a product before it is stored: act(product + Bias) + Residual, while it is still in cache.</summary>
internal readonly ref struct Epilogue
{
    /// <summary>Added to every row, [n]; empty: none.</summary>
    public ReadOnlySpan<float> Bias { get; init; }

    /// <summary>Applied after the bias.</summary>
    public ActivationFunction Activation { get; init; }

    /// <summary>Added last, [m, n]; empty: none. May be the output itself.</summary>
    public ReadOnlySpan<float> Residual { get; init; }
}

/// <summary>A product as pointers, which worker threads may hold. The products of one call have as many rows of X, and W of one type.</summary>
internal unsafe struct ProductCall
{
    /// <summary>A product whose parts are pinned. X is null where the product before leaves it packed, Y where the product is passed on.</summary>
    public ProductCall(float* x, WeightMatrix weight, byte* w, float* y, ActivationFunction activation, float* bias, float* residual)
    {
        X = x;
        K = weight.K;
        W = w;
        Output = new Output { Y = y, N = weight.N, Bias = bias, Activation = activation, Residual = residual };
    }

    public float* X;       // [m, K]
    public int K;
    public byte* W;        // as stored, [Output.N, K]
    public byte* Gate;     // of W's type, [Output.N, K]; its products go through the activation, and multiply W's: null where there is no gate
    public Output Output;  // Y and the epilogue

    /// <summary>How many products, the first one included, have the X of the first one.</summary>
    public static int WithSameX(ProductCall* calls, int count)
    {
        int same = 1;
        while (same < count && calls[same].X == calls->X && calls[same].K == calls->K) same++;
        return same;
    }
}

/// <summary>The ways to compute a product of m rows of X with W.</summary>
internal enum ProductPath
{
    /// <summary>Plain loops with double sums.</summary>
    Reference,

    /// <summary>
    /// Few rows: dot products with the stored rows of W, each read from memory once. Beside blocks of integers X becomes 16-bit integers.
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
    public static ProductPath Choose(KernelOptions options, WeightType type, int m, int k) => Choose(options.Level, options.StreamedRows, type, m, k);

    /// <summary>The same at a level that this CPU need not have.</summary>
    /// <exception cref="ArgumentException">The level or the type is unknown.</exception>
    public static ProductPath Choose(KernelLevel level, int streamedRows, WeightType type, int m, int k)
    {
        bool blocked = WeightMatrix.IsBlocked(type);
        bool multipliesBytes = level switch
        {
            KernelLevel.Avx512 or KernelLevel.Avx2 => true,
            KernelLevel.Vector128 or KernelLevel.Portable or KernelLevel.Reference => false,
            _ => throw KernelDispatch.Unknown(level),
        };
        if (level == KernelLevel.Reference || k == 0) return ProductPath.Reference;
        if (m <= streamedRows)
            return type == WeightType.Int4 && multipliesBytes && k % NibbleMultiple == 0 ? ProductPath.StreamedInNibbles : ProductPath.Streamed;
        if (blocked && multipliesBytes) return ProductPath.TiledInBytes;
        return !blocked && level == KernelLevel.Avx512 && m <= QuadTile.Columns ? ProductPath.TiledInQuads : ProductPath.Tiled;
    }
}

/// <summary>The code of a <see cref="ProductPath"/> for one level and one format of W.</summary>
internal abstract unsafe class ProductKernel
{
    /// <summary>
    /// Computes products of one path with m rows of X each, which may share threads, and the work on an X that several have; tiled ones have the same X.
    /// </summary>
    public abstract void Run(ProductCall* calls, int count, int m, int threads);

    /// <summary>The one for a path, a level and a type.</summary>
    /// <exception cref="ArgumentException">There is none: <see cref="ProductPaths"/> does not choose this.</exception>
    public static ProductKernel Of(ProductPath path, KernelLevel level, WeightType type)
    {
        var search = new Search { Path = path, Level = level };
        WeightFormats.Visit(type, ref search);
        return search.Found ?? throw new ArgumentException($"There is no product {path} at {level} with a weight in {type}.", nameof(path));
    }

    private struct Search : IFormatVisitor
    {
        public ProductPath Path;
        public KernelLevel Level;
        public ProductKernel? Found;

        public void VisitFloats<TFormat>() where TFormat : struct, IWeightFormat => Found = Path switch
        {
            ProductPath.Streamed => Streamed<TFormat>(Level),
            ProductPath.Tiled => Tiled<TFormat>(Level),
            ProductPath.TiledInQuads when Level == KernelLevel.Avx512 => Single<TiledInQuads<TFormat>>.Kernel,
            _ => null,
        };

        public void VisitBlocks<TFormat>() where TFormat : struct, IBlockFormat => Found = Path switch
        {
            ProductPath.Streamed => StreamedInIntegers<TFormat>(Level),
            ProductPath.StreamedInNibbles when typeof(TFormat) == typeof(Int4Format) => StreamedInNibbles(Level),
            ProductPath.Tiled => Tiled<TFormat>(Level),
            ProductPath.TiledInBytes => TiledInBytes<TFormat>(Level),
            _ => null,
        };
    }

    private static ProductKernel? Streamed<TFormat>(KernelLevel level) where TFormat : struct, IWeightFormat => level switch
    {
        KernelLevel.Avx512 => Single<Streamed<Avx512, Vector512<float>, TFormat>>.Kernel,
        KernelLevel.Avx2 => Single<Streamed<Avx2, Vector256<float>, TFormat>>.Kernel,
        KernelLevel.Vector128 => Single<Streamed<Simd128, Vector128<float>, TFormat>>.Kernel,
        KernelLevel.Portable => Single<Streamed<Portable, Vector<float>, TFormat>>.Kernel,
        _ => null,
    };

    private static ProductKernel? StreamedInIntegers<TFormat>(KernelLevel level) where TFormat : struct, IBlockFormat => level switch
    {
        KernelLevel.Avx512 => Single<StreamedInIntegers<Avx512, Vector512<float>, TFormat, Int16Dots<Avx512, Vector512<float>, TFormat>>>.Kernel,
        KernelLevel.Avx2 => Single<StreamedInIntegers<Avx2, Vector256<float>, TFormat, Int16Dots<Avx2, Vector256<float>, TFormat>>>.Kernel,
        KernelLevel.Vector128 => Single<StreamedInIntegers<Simd128, Vector128<float>, TFormat, Int16Dots<Simd128, Vector128<float>, TFormat>>>.Kernel,
        KernelLevel.Portable => Single<StreamedInIntegers<Portable, Vector<float>, TFormat, Int16Dots<Portable, Vector<float>, TFormat>>>.Kernel,
        _ => null,
    };

    private static ProductKernel? StreamedInNibbles(KernelLevel level) => level switch
    {
        KernelLevel.Avx512 => Single<StreamedInIntegers<Avx512, Vector512<float>, Int4Format, NibbleDots<Avx512, Vector512<float>>>>.Kernel,
        KernelLevel.Avx2 => Single<StreamedInIntegers<Avx2, Vector256<float>, Int4Format, NibbleDots<Avx2, Vector256<float>>>>.Kernel,
        _ => null,
    };

    private static ProductKernel? Tiled<TFormat>(KernelLevel level) where TFormat : struct, IRowFormat => level switch
    {
        KernelLevel.Avx512 => Single<TiledInFloats<Avx512, Vector512<float>, Tiles32, TFormat>>.Kernel,
        KernelLevel.Avx2 => Single<TiledInFloats<Avx2, Vector256<float>, Tiles16, TFormat>>.Kernel,
        KernelLevel.Vector128 => Single<TiledInFloats<Simd128, Vector128<float>, Tiles16, TFormat>>.Kernel,
        KernelLevel.Portable => Single<TiledInFloats<Portable, Vector<float>, Tiles16, TFormat>>.Kernel,
        _ => null,
    };

    private static ProductKernel? TiledInBytes<TFormat>(KernelLevel level) where TFormat : struct, IBlockFormat => level switch
    {
        KernelLevel.Avx512 => Single<TiledInBytes<Avx512, Vector512<float>, BlockTiles32, TFormat>>.Kernel,
        KernelLevel.Avx2 => Single<TiledInBytes<Avx2, Vector256<float>, BlockTiles16, TFormat>>.Kernel,
        _ => null,
    };

    // Made when first asked for.
    private static class Single<TKernel> where TKernel : ProductKernel, new()
    {
        public static readonly TKernel Kernel = new();
    }
}

/// <summary>All blocking constants of the matrix product.</summary>
/// <remarks>
/// A task owns 48 or 96 rows of W. Block by block of k it takes some columns of them and multiplies them with every panel of packed X. As floats a panel is at
/// most 200 KB and the rows 300 KB, so that both stay in L2, from where a tile's 20 bytes per cycle come easily; long stretches of each row of W keep the
/// hardware's prefetching at work. docs/adr/0005 has what was tried. Sums are cut at places that depend on k and m alone, whatever the threads.
/// </remarks>
internal static class Tiling
{
    /// <summary>Rows of W per task where there are few, and where there are many: multiples of every tile's rows and of every vector's width.</summary>
    public const int FewRows = 48, ManyRows = 96;

    /// <summary>From here on a thread's tasks are large: X passes by once for each.</summary>
    private const int ManyTasks = 4;

    /// <summary>
    /// Tasks of many rows, before tasks of few, for a product with n of all rows of W of the job. Results do not depend on it. Where no other product's tasks
    /// follow the last ones are small, so that threads finish together.
    /// </summary>
    public static int LargeTasks(int n, int all, bool isLast, int threads)
    {
        if (all < ManyRows * ManyTasks * threads) return 0;
        return isLast ? Math.Max(0, (n / ManyRows) - threads) : (n + ManyRows - 1) / ManyRows;
    }

    /// <summary>Bytes of a line of the cache.</summary>
    public const int CacheLine = 64;

    /// <summary>Floats from a decoded row of W to the next: a cache line more than it has, so that the rows of a tile do not all lie in the same set of the
    /// cache where its length is a power of two.</summary>
    public static int DecodedRow(int length) => length + (CacheLine / sizeof(float));

    /// <summary>Blocks of k are whole cache lines of W, and whole pairs of blocks where it is stored in such.</summary>
    public const int DepthStep = 64;

    /// <summary>Steps of k per block, at most max: k in equal parts.</summary>
    public static int Depth(int k, int max)
    {
        int blocks = (k + max - 1) / max;
        return Packing.Padded((k + blocks - 1) / blocks, DepthStep);
    }

    /// <summary>Rows of X packed at once; bounds the memory to RowBlock · k floats.</summary>
    public const int RowBlock = 1024;

    /// <summary>Rows of W per GEMV task are chosen so that a task reads about this many bytes.</summary>
    public const int GemvTaskBytes = 256 * 1024;

    /// <summary>How many bytes ahead of its loads GEMV prefetches W.</summary>
    public const int PrefetchBytes = 4096;

    /// <summary>The same where it reads four streams at once.</summary>
    public const int StreamPrefetchBytes = 1024;

    /// <summary>The same for rows of blocks: at least so far, and beyond the scales of the row that comes next, which are read before its integers.</summary>
    public static nint BlockPrefetchBytes(nint rowBytes, nint blocks) => Math.Max(2048, rowBytes + (2 * blocks) + 64);

    /// <summary>Below this much work a job is not worth handing to another thread.</summary>
    private const long SerialWork = 1 << 18;

    /// <summary>What reading an operand's element from memory costs, in multiply-adds: with fewer rows than this, reading is the work.</summary>
    private const int ReadCost = 8;

    /// <summary>Threads for a job that reads this many elements, each for some rows.</summary>
    public static int Threads(int rows, long elements, int maxThreads) => Math.Max(rows, ReadCost) * elements < SerialWork ? 1 : maxThreads;
}
