namespace ManagedTransformers.Kernels.Tests;

internal sealed class ProductPathTests
{
    private static ProductPath Choose(KernelLevel level, WeightType type, int m, int k) => ProductPaths.Choose(level, MatMul.StreamedRows, type, m, k);

    [Test]
    public void The_level_Reference_and_a_k_of_0_are_plain_loops([Values] WeightType type, [Values(1, 9, 100)] int m)
    {
        Assert.That(Choose(KernelLevel.Reference, type, m, 64), Is.EqualTo(ProductPath.Reference));
        Assert.That(Choose(KernelLevel.Avx512, type, m, 0), Is.EqualTo(ProductPath.Reference));
    }

    [TestCase(1, ProductPath.Streamed, ProductPath.Streamed, ProductPath.Streamed)]
    [TestCase(8, ProductPath.Streamed, ProductPath.Streamed, ProductPath.Streamed)]
    [TestCase(9, ProductPath.Tiled, ProductPath.Tiled, ProductPath.TiledInQuads)]
    [TestCase(16, ProductPath.Tiled, ProductPath.Tiled, ProductPath.TiledInQuads)]
    [TestCase(17, ProductPath.Tiled, ProductPath.Tiled, ProductPath.Tiled)]
    public void Floats_are_streamed_for_8_rows_and_taken_in_quads_for_16(int m, ProductPath portable, ProductPath avx2, ProductPath avx512)
    {
        foreach (WeightType type in (WeightType[])[WeightType.F32, WeightType.F16, WeightType.BF16])
        {
            foreach (int k in (int[])[1, 100, 128])
                Assert.That((Choose(KernelLevel.Portable, type, m, k), Choose(KernelLevel.Avx2, type, m, k), Choose(KernelLevel.Avx512, type, m, k)),
                    Is.EqualTo((portable, avx2, avx512)));
        }
    }

    [TestCase(8, 128, ProductPath.Streamed, ProductPath.StreamedInNibbles)]
    [TestCase(8, 192, ProductPath.Streamed, ProductPath.Streamed)]      // no multiple of 128
    [TestCase(9, 128, ProductPath.Tiled, ProductPath.TiledInBytes)]
    [TestCase(9, 192, ProductPath.Tiled, ProductPath.TiledInBytes)]
    public void Int4_is_multiplied_in_bytes_where_the_level_has_them(int m, int k, ProductPath portable, ProductPath avx)
    {
        Assert.That(Choose(KernelLevel.Portable, WeightType.Int4, m, k), Is.EqualTo(portable));
        Assert.That(Choose(KernelLevel.Vector128, WeightType.Int4, m, k), Is.EqualTo(portable));
        Assert.That(Choose(KernelLevel.Avx2, WeightType.Int4, m, k), Is.EqualTo(avx));
        Assert.That(Choose(KernelLevel.Avx512, WeightType.Int4, m, k), Is.EqualTo(avx));
    }

    [TestCase(8, ProductPath.Streamed, ProductPath.Streamed)]
    [TestCase(9, ProductPath.Tiled, ProductPath.TiledInBytes)]
    public void Int8_is_multiplied_in_bytes_for_many_rows_only(int m, ProductPath portable, ProductPath avx)
    {
        Assert.That(Choose(KernelLevel.Portable, WeightType.Int8, m, 128), Is.EqualTo(portable));
        Assert.That(Choose(KernelLevel.Vector128, WeightType.Int8, m, 128), Is.EqualTo(portable));
        Assert.That(Choose(KernelLevel.Avx2, WeightType.Int8, m, 128), Is.EqualTo(avx));
        Assert.That(Choose(KernelLevel.Avx512, WeightType.Int8, m, 128), Is.EqualTo(avx));
    }

    [Test]
    public void Every_path_that_is_chosen_has_code()
    {
        foreach (KernelLevel level in Enum.GetValues<KernelLevel>())
        {
            foreach (WeightType type in Enum.GetValues<WeightType>())
            {
                foreach ((int m, int k) in ((int, int)[])[(1, 64), (1, 128), (9, 64), (17, 64)])
                {
                    ProductPath path = Choose(level, type, m, k);
                    if (path == ProductPath.Reference) continue;
                    ProductKernel kernel = ProductKernel.Of(path, level, type);
                    Assert.That(kernel.GetType().Name, Does.StartWith(path == ProductPath.StreamedInNibbles ? "StreamedInIntegers" : path.ToString()),
                        $"{level} {type} {path}");
                    Assert.That(ProductKernel.Of(path, level, type), Is.SameAs(kernel));
                }
            }
        }
    }

    [TestCase(ProductPath.TiledInQuads, KernelLevel.Avx2, WeightType.F32)]
    [TestCase(ProductPath.TiledInBytes, KernelLevel.Avx2, WeightType.F16)]
    [TestCase(ProductPath.TiledInBytes, KernelLevel.Portable, WeightType.Int8)]
    [TestCase(ProductPath.StreamedInNibbles, KernelLevel.Vector128, WeightType.Int4)]
    [TestCase(ProductPath.StreamedInNibbles, KernelLevel.Avx2, WeightType.Int8)]
    [TestCase(ProductPath.Reference, KernelLevel.Reference, WeightType.F32)]
    [TestCase((ProductPath)9, KernelLevel.Avx2, WeightType.F32)]
    public void A_path_without_code_is_refused_with_its_name(ProductPath path, KernelLevel level, WeightType type) =>
        Assert.That(() => ProductKernel.Of(path, level, type),
            Throws.ArgumentException.With.Message.Contains($"no product {path} at {level}").And.Message.Contains($"in {type}"));

    [Test]
    public void An_unknown_level_or_type_is_refused_with_those_that_there_are()
    {
        Assert.That(() => Choose((KernelLevel)9, WeightType.F32, 1, 1),
            Throws.ArgumentException.With.Message.Contains("9 is no kernel level").And.Message.Contains("Reference, Portable, Vector128, Avx2, Avx512"));
        Assert.That(() => Choose(KernelLevel.Avx2, (WeightType)9, 1, 1),
            Throws.ArgumentException.With.Message.Contains("9 is no weight type").And.Message.Contains("F32, F16, BF16, Int8, Int4"));
    }
}
