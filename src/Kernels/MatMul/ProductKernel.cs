using System.Numerics;
using System.Runtime.Intrinsics;

namespace ManagedTransformers.Kernels;

/// <summary>The code of a <see cref="ProductPath"/> for one level and one format of W.</summary>
internal abstract unsafe class ProductKernel
{
    /// <summary>
    /// Computes products of one path with m rows of X each, which may share threads, and the work on an X that several have; tiled ones have the same X.
    /// </summary>
    public abstract void Run(ProductCall* calls, int count, int m, int threads);

    /// <summary>The one for a path, a level and a type.</summary>
    /// <exception cref="ArgumentException">There is none: <see cref="ProductPaths.Choose"/> does not choose this.</exception>
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
        KernelLevel.Portable => Single<Streamed<Portable, Vector<float>, TFormat>>.Kernel,
        _ => null,
    };

    private static ProductKernel? StreamedInIntegers<TFormat>(KernelLevel level) where TFormat : struct, IBlockFormat => level switch
    {
        KernelLevel.Avx512 => Single<StreamedInIntegers<Avx512, Vector512<float>, TFormat, Int16Dots<Avx512, Vector512<float>, TFormat>>>.Kernel,
        KernelLevel.Avx2 => Single<StreamedInIntegers<Avx2, Vector256<float>, TFormat, Int16Dots<Avx2, Vector256<float>, TFormat>>>.Kernel,
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
