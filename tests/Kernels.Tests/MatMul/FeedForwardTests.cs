namespace ManagedTransformers.Kernels.Tests;

public sealed class FeedForwardTests
{
    private static readonly KernelLevel[] s_levels = [.. KernelDispatch.Supported.Where(level => level != KernelLevel.Reference)];

    [TestCase(9, 16, 48, 10)]
    [TestCase(16, 33, 96, 50)]
    [TestCase(17, 33, 96, 50)]
    [TestCase(37, 800, 144, 49)]
    [TestCase(130, 20, 1584, 17)]
    [TestCase(1100, 24, 48, 24)]
    public void Two_products_in_a_row_agree_with_Reference_and_to_the_bit_with_two_calls(int m, int k, int inner, int n)
    {
        foreach (KernelLevel level in s_levels)
        {
            foreach (WeightType type in (WeightType[])[WeightType.F32, WeightType.F16, WeightType.BF16])
                Compare(level, type, m, k, inner, n, threads: m % 2 == 0 ? 1 : 3);
        }
    }

    private static void Compare(KernelLevel level, WeightType type, int m, int k, int inner, int n, int threads)
    {
        byte[] up = Samples.Stored(Samples.Uniform(inner * k, 1, 0.3f), type), down = Samples.Stored(Samples.Uniform(n * inner, 2, 0.3f), type);
        float[] x = Samples.Uniform(m * k, 3), upBias = Samples.Uniform(inner, 4), downBias = Samples.Uniform(n, 5), residual = Samples.Uniform(m * n, 6);

        float[] Twice(KernelOptions options)
        {
            float[] between = new float[m * inner], y = new float[m * n];
            MatMul.Run(x, m, new WeightMatrix(up, type, inner, k), between, new Epilogue { Bias = upBias, Activation = ActivationFunction.Gelu }, options);
            MatMul.Run(between, m, new WeightMatrix(down, type, n, inner), y, new Epilogue { Bias = downBias, Residual = residual }, options);
            return y;
        }

        KernelOptions options = Samples.At(level) with { MaxThreads = threads };
        bool fits = level != KernelLevel.Avx512 || m > 16;
        Assert.That(FeedForward.Fits(m, new WeightMatrix(up, type, inner, k), new WeightMatrix(down, type, n, inner), options), Is.EqualTo(fits));
        if (!fits) return;
        using var fused = new Guarded(m * n * sizeof(float), 4);
        FeedForward.Run(x, m, new WeightMatrix(up, type, inner, k), new Epilogue { Bias = upBias, Activation = ActivationFunction.Gelu },
            new WeightMatrix(down, type, n, inner), fused.Floats, new Epilogue { Bias = downBias, Residual = residual }, options);

        Samples.AssertClose(fused.Floats, Twice(Samples.Reference), 1e-6 * k * Math.Sqrt(inner), $"{level} {type} m {m} k {k} inner {inner} n {n}");
        Assert.That(fused.Floats.ToArray(), Is.EqualTo(Twice(options)), $"{level} {type} m {m}: not the same bits as two calls");
        fused.AssertIntact();
    }

    [Test]
    public void Blocks_of_integers_give_the_bits_of_two_calls([Values(WeightType.Int8, WeightType.Int4)] WeightType type, [Values(9, 16, 37, 70, 1100)] int m)
    {
        const int K = 64, Inner = 192, N = 49;
        WeightMatrix up = Weight(type, Inner, K, 1), down = Weight(type, N, Inner, 2);
        float[] x = Samples.Uniform(m * K, 3), upBias = Samples.Uniform(Inner, 4), downBias = Samples.Uniform(N, 5), residual = Samples.Uniform(m * N, 6);
        foreach (KernelLevel level in s_levels)
        {
            KernelOptions options = Samples.At(level) with { MaxThreads = m % 2 == 0 ? 1 : 3 };
            Epilogue first = new() { Bias = upBias, Activation = ActivationFunction.Gelu }, second = new() { Bias = downBias, Residual = residual };
            float[] between = new float[m * Inner], twice = new float[m * N];
            MatMul.Run(x, m, up, between, first, options);
            MatMul.Run(between, m, down, twice, second, options);
            using var fused = new Guarded(m * N * sizeof(float), 4);
            FeedForward.Run(x, m, up, first, down, fused.Floats, second, options);
            Assert.That(fused.Floats.ToArray(), Is.EqualTo(twice), $"{level}");
            fused.AssertIntact();
        }
    }

    [Test]
    public void A_gated_block_gives_the_bits_of_three_calls([Values] WeightType type, [Values(9, 17, 37, 70, 1100)] int m, [Values] bool biases)
    {
        const int K = 64, N = 49;
        int inner = WeightMatrix.IsBlocked(type) ? 192 : 200;                  // floats: the last task has 8 rows of 48
        WeightMatrix gate = Weight(type, inner, K, 1), up = Weight(type, inner, K, 2), down = Weight(type, N, inner, 3);
        float[] x = Samples.Uniform(m * K, 4), residual = Samples.Uniform(m * N, 5);
        foreach (KernelLevel level in s_levels)
        {
            KernelOptions options = Samples.At(level) with { MaxThreads = m % 2 == 0 ? 1 : 3 };
            if (!GatedProducts.Fits(m, gate, up, down, options))
            {
                Assert.That(level == KernelLevel.Avx512 ? m <= 16 : WeightMatrix.IsBlocked(type) && m <= MatMul.StreamedRows, Is.True, $"{level} {type} {m}");
                continue;
            }
            Epilogue first = new() { Bias = biases ? Samples.Uniform(inner, 6) : [], Activation = ActivationFunction.Silu };
            Epilogue second = new() { Bias = biases ? Samples.Uniform(inner, 7) : [] }, third = new() { Residual = residual };
            using var fused = new Guarded(m * N * sizeof(float), 4);
            GatedProducts.Run(x, m, gate, first, up, second, down, fused.Floats, third, options);
            Assert.That(fused.Floats.ToArray(), Is.EqualTo(Thrice(x, m, gate, first, up, second, down, third, options)), $"{level}");
            fused.AssertIntact();
        }
    }

    [Test]
    public void A_gate_of_one_and_an_activation_of_none_leave_the_products_as_they_are()
    {
        // X = 1, gate = 1 + 0 · X: the sum of up's row, three times, times down's column of ones over 64 inner values.
        byte[] Same(int count, float value) => Samples.Stored([.. Enumerable.Repeat(value, count)], WeightType.F32);
        float[] y = new float[17];
        GatedProducts.Run([.. Enumerable.Repeat(1f, 17 * 3)], 17, new WeightMatrix(Same(64 * 3, 0), WeightType.F32, 64, 3),
            new Epilogue { Bias = [.. Enumerable.Repeat(1f, 64)] }, new WeightMatrix(Same(64 * 3, 2), WeightType.F32, 64, 3), default,
            new WeightMatrix(Same(64, 1), WeightType.F32, 1, 64), y, default, Samples.At(KernelLevel.Portable));
        Assert.That(y, Is.All.EqualTo(64 * 6f));
    }

    [Test]
    public void A_gate_of_another_size_or_type_is_left_to_three_calls()
    {
        KernelOptions options = Samples.At(KernelLevel.Portable);
        WeightMatrix up = Weight(WeightType.F32, 48, 64, 1), down = Weight(WeightType.F32, 5, 48, 2), other = Weight(WeightType.F16, 48, 64, 3);
        Assert.That(GatedProducts.Fits(9, up, up, down, options), Is.True);
        Assert.That(GatedProducts.Fits(8, up, up, down, options), Is.False);
        Assert.That(GatedProducts.Fits(9, other, up, down, options), Is.False);
        Assert.That(GatedProducts.Fits(9, Weight(WeightType.F32, 47, 64, 3), up, down, options), Is.False);
        var e = Assert.Throws<ArgumentException>(() => GatedProducts.Run(new float[9 * 64], 9, Weight(WeightType.F16, 48, 64, 3), default,
            Weight(WeightType.F32, 48, 64, 1), default, Weight(WeightType.F32, 5, 48, 2), new float[9 * 5], default, options));
        Assert.That(e.Message, Does.Contain("9 rows over 48").And.Contain("one size and type"));
    }

    private static WeightMatrix Weight(WeightType type, int n, int k, int seed)
    {
        float[] values = Samples.Uniform(n * k, seed, 0.3f);
        if (!WeightMatrix.IsBlocked(type)) return new WeightMatrix(Samples.Stored(values, type), type, n, k);
        byte[] stored = new byte[n * WeightMatrix.BytesOfRow(type, k)];
        Quantization.Quantize(new WeightMatrix(Samples.Stored(values, WeightType.F32), WeightType.F32, n, k), type, stored, Samples.Reference);
        return new WeightMatrix(stored, type, n, k);
    }

    private static float[] Thrice(float[] x, int m, WeightMatrix gate, in Epilogue first, WeightMatrix up, in Epilogue second, WeightMatrix down,
        in Epilogue third, KernelOptions options)
    {
        float[] gated = new float[m * up.N], between = new float[m * up.N], y = new float[m * down.N];
        MatMul.Run(x, m, gate, gated, first with { Activation = ActivationFunction.None }, options);
        MatMul.Run(x, m, up, between, second, options);
        GatedActivation.Run(first.Activation, gated, between, between, options);
        MatMul.Run(between, m, down, y, third, options);
        return y;
    }

    [Test]
    public void The_second_weight_needs_a_column_for_each_row_of_the_first()
    {
        var e = Assert.Throws<ArgumentException>(() => FeedForward.Run(new float[5], 5, new WeightMatrix(new byte[4 * 48], WeightType.F32, 48, 1), default,
            new WeightMatrix(new byte[4 * 47], WeightType.F32, 1, 47), new float[5], default, Samples.At(KernelLevel.Portable)));
        Assert.That(e.Message, Does.Contain("47 columns").And.Contain("48 rows"));
    }

    [Test]
    public void Few_rows_other_inner_sizes_and_Reference_are_left_to_two_calls()
    {
        KernelOptions options = Samples.At(KernelLevel.Portable);
        Assert.That(Fits(9, 48, options), Is.True);
        Assert.That(Fits(8, 48, options), Is.False);
        Assert.That(Fits(9, 50, options), Is.False);
        Assert.That(Fits(9, 48, Samples.Reference), Is.False);
        var floats = new WeightMatrix(new byte[4 * 192], WeightType.F32, 192, 1);
        WeightMatrix integers = new(new byte[192 * 68], WeightType.Int8, 192, 64), others = new(new byte[3 * 36], WeightType.Int4, 1, 192);
        foreach (KernelLevel level in s_levels.Where(level => level is KernelLevel.Avx2 or KernelLevel.Avx512))
        {
            KernelOptions bytes = Samples.At(level);
            Assert.That(FeedForward.Fits(9, integers, new WeightMatrix(new byte[4 * 192], WeightType.F32, 1, 192), bytes), Is.False);
            Assert.That(FeedForward.Fits(9, floats, others, bytes), Is.False);
            Assert.That(FeedForward.Fits(9, integers, others, bytes), Is.False);
            Assert.That(FeedForward.Fits(9, integers, new WeightMatrix(new byte[3 * 204], WeightType.Int8, 3, 192), bytes), Is.True);
        }
        var e = Assert.Throws<ArgumentException>(() =>
            FeedForward.Run(new float[5], 5, new WeightMatrix(new byte[4 * 50], WeightType.F32, 50, 1), default,
                new WeightMatrix(new byte[4 * 50], WeightType.F32, 1, 50), new float[5], default, options));
        Assert.That(e.Message, Does.Contain("5 rows over 50").And.Contain("multiple of 48"));
    }

    private static bool Fits(int m, int inner, KernelOptions options) =>
        FeedForward.Fits(m, new WeightMatrix(new byte[4 * inner], WeightType.F32, inner, 1), new WeightMatrix(new byte[4 * inner], WeightType.F32, 1, inner),
            options);
}
