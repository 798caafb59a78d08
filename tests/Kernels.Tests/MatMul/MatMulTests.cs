namespace ManagedTransformers.Kernels.Tests;

public sealed class MatMulTests
{
    // Sums of k products of values up to 1 and 0.5, in float: the error grows like √k · 2⁻²⁴ times their size.
    private static double Tolerance(int k) => 1e-6 * (2 + Math.Sqrt(k));

    [Test]
    public void MatMul_of_1_2_with_rows_3_4_and_5_6_is_11_17([Levels] KernelLevel level)
    {
        float[] y = new float[2];
        MatMul.Run([1, 2], 1, new WeightMatrix(Samples.Stored([3, 4, 5, 6], WeightType.F32), WeightType.F32, 2, 2), y, default, Samples.At(level));
        Assert.That(y, Is.EqualTo(new float[] { 11, 17 }));
    }

    [Test]
    public void Every_small_shape_agrees_with_Reference([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        foreach (int m in (int[])[1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16])
        {
            foreach (int n in (int[])[1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 47, 48, 49, 97])
            {
                foreach (int k in (int[])[1, 2, 7, 8, 9, 15, 16, 17, 33, 255, 256, 257])
                    Compare(level, type, m, n, k, misalignment: (m + n + k) % 5);
            }
        }
    }

    [TestCase(37, 100, 530)]
    [TestCase(480, 50, 40)]
    [TestCase(481, 50, 40)]
    [TestCase(1000, 49, 300)]
    [TestCase(9, 50, 3100)]
    [TestCase(16, 101, 6203)]
    [TestCase(1, 5000, 129)]
    [TestCase(3, 3000, 1031)]
    public void Shapes_across_all_block_borders_agree_with_Reference(int m, int n, int k)
    {
        foreach (KernelLevel level in KernelDispatch.Supported) Compare(level, WeightType.F32, m, n, k, 1);
    }

    private static void Compare(KernelLevel level, WeightType type, int m, int n, int k, int misalignment)
    {
        byte[] stored = Samples.Stored(Samples.Uniform(n * k, 1, 0.5f), type);
        using var x = Guarded.Of(Samples.Uniform(m * k, 2), misalignment);
        using var w = new Guarded(stored.Length, misalignment);           // weights may start at any byte
        stored.CopyTo(w.Bytes);
        using var y = new Guarded(m * n * sizeof(float), misalignment * sizeof(float));
        float[] expected = new float[m * n];
        MatMul.Run(x.Floats, m, new WeightMatrix(w.Bytes, type, n, k), expected, default, Samples.Reference);
        MatMul.Run(x.Floats, m, new WeightMatrix(w.Bytes, type, n, k), y.Floats, default, Samples.At(level));
        Samples.AssertClose(y.Floats, expected, Tolerance(k), $"{level} {type} m {m} n {n} k {k}");
        y.AssertIntact();
    }

    [Test]
    public void A_row_among_few_has_the_same_bits_as_alone([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type, [Values(16, 100, 1031)] int k, [Values(3, 131)] int n)
    {
        var w = new WeightMatrix(Samples.Stored(Samples.Uniform(n * k, 1, 0.3f), type), type, n, k);
        float[] x = Samples.Uniform(MatMul.MaxStreamedRows * k, 2), alone = new float[MatMul.MaxStreamedRows * n];
        KernelOptions options = Samples.At(level) with { MaxThreads = 2, StreamedRows = MatMul.MaxStreamedRows };
        for (int row = 0; row < MatMul.MaxStreamedRows; row++)
            MatMul.Run(x.AsSpan(row * k, k), 1, w, alone.AsSpan(row * n, n), new Epilogue { Activation = ActivationFunction.GeluTanh }, options);
        foreach (int m in (int[])[2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 40, 63, 64])
        {
            float[] together = new float[m * n];
            MatMul.Run(x.AsSpan(0, m * k), m, w, together, new Epilogue { Activation = ActivationFunction.GeluTanh }, options);
            Assert.That(together, Is.EqualTo(alone[..(m * n)]), $"{m} rows");
        }
        Assert.That(alone, Has.Some.Not.Zero);
    }

    [Test]
    public void A_row_among_17_or_more_has_the_same_bits_among_any_number([Levels] KernelLevel level, [Values] WeightType type,
        [Values(64, 832, 3072)] int k)
    {
        const int Most = 131, N = 70;
        var w = new WeightMatrix(Samples.Weights(Samples.Uniform(N * k, 1, 0.3f), N, k, type), type, N, k);
        float[] x = Samples.Uniform(Most * k, 2), all = new float[Most * N];
        KernelOptions options = Samples.At(level) with { MaxThreads = 2 };
        MatMul.Run(x, Most, w, all, default, options);
        foreach (int m in new[] { MatMul.TiledRows, 24, 31, 33, 48, 50, 64, 80, 96, 130 })
        {
            float[] last = new float[m * N];
            MatMul.Run(x.AsSpan((Most - m) * k), m, w, last, default, options);
            Assert.That(last, Is.EqualTo(all[((Most - m) * N)..]), $"{m} rows");
        }
        Assert.That(all, Has.Some.Not.Zero);
    }

    [Test]
    public void Products_computed_together_have_the_same_bits_as_one_by_one([Levels] KernelLevel level, [Values(1, 3, 8, 13, 20, 70)] int m,
        [Values] bool three)
    {
        const int K = 300;
        int[] n = [70, 7, 130];
        byte[][] w = [.. n.Select((size, i) => Samples.Stored(Samples.Uniform(size * K, i, 0.3f), WeightType.F16))];
        float[] x = Samples.Uniform(m * K, 9), bias = Samples.Uniform(n[0], 8);
        float[][] expected = [.. n.Select(size => new float[m * size])], actual = [.. n.Select(size => new float[m * size])];
        KernelOptions options = Samples.At(level) with { MaxThreads = 3 };
        MatMul.Run(x, m, new WeightMatrix(w[0], WeightType.F16, n[0], K), expected[0], new Epilogue { Bias = bias, Activation = ActivationFunction.Gelu },
            options);
        MatMul.Run(x, m, new WeightMatrix(w[1], WeightType.F16, n[1], K), expected[1], default, options);
        if (three) MatMul.Run(x, m, new WeightMatrix(w[2], WeightType.F16, n[2], K), expected[2], default, options);

        MatMul.Run(m,
            new Product(x, new WeightMatrix(w[0], WeightType.F16, n[0], K), actual[0], new Epilogue { Bias = bias, Activation = ActivationFunction.Gelu }),
            new Product(x, new WeightMatrix(w[1], WeightType.F16, n[1], K), actual[1], default),
            three ? new Product(x, new WeightMatrix(w[2], WeightType.F16, n[2], K), actual[2], default) : default, options);
        Assert.That(actual, Is.EqualTo(expected));
        Assert.That(expected[0], Has.Some.Not.Zero);
    }

    [Test]
    public void Tasks_of_either_size_give_the_same_bits([Levels] KernelLevel level, [Values(790, 960, 1000)] int n)
    {
        // On one and two threads large tasks come before small ones, on three all are small.
        const int M = 20, K = 70;
        float[] x = Samples.Uniform(M * K, 1), expected = new float[M * n], one = new float[M * n];
        var w = new WeightMatrix(Samples.Stored(Samples.Uniform(n * K, 2), WeightType.F32), WeightType.F32, n, K);
        MatMul.Run(x, M, w, expected, default, Samples.Reference);
        MatMul.Run(x, M, w, one, default, Samples.At(level, threads: 1));
        Samples.AssertClose(one, expected, 1e-5, $"{level} {n}");
        foreach (int threads in (int[])[2, 3])
        {
            float[] y = new float[M * n];
            MatMul.Run(x, M, w, y, default, Samples.At(level, threads));
            Assert.That(y, Is.EqualTo(one), $"{threads} threads");
        }
    }

    [Test]
    public void Products_together_may_each_have_their_own_x([Levels] KernelLevel level, [Values] WeightType type, [Values(1, 5, 8, 20)] int m)
    {
        // Int4 takes other loops where k is no multiple of 128: computed together each product keeps its own.
        int[] n = [70, 7, 130], k = [256, 192, 384];
        byte[][] w = [.. n.Select((size, i) => Samples.Weights(Samples.Uniform(size * k[i], i, 0.3f), size, k[i], type))];
        float[][] x = [.. k.Select((size, i) => Samples.Uniform(m * size, 9 + i))];
        float[] bias = Samples.Uniform(n[1], 8);
        float[][] expected = [.. n.Select(size => new float[m * size])], actual = [.. n.Select(size => new float[m * size])];
        KernelOptions options = Samples.At(level) with { MaxThreads = 3 };
        for (int i = 0; i < n.Length; i++)
            MatMul.Run(x[i], m, new WeightMatrix(w[i], type, n[i], k[i]), expected[i], EpilogueOf(i), options);

        MatMul.Run(m, ProductOf(0), ProductOf(1), ProductOf(2), options);
        Assert.That(actual, Is.EqualTo(expected));
        Assert.That(expected, Has.All.Some.Not.Zero);

        Product ProductOf(int i) => new(x[i], new WeightMatrix(w[i], type, n[i], k[i]), actual[i], EpilogueOf(i));
        Epilogue EpilogueOf(int i) => i == 1 ? new Epilogue { Bias = bias, Activation = ActivationFunction.Gelu } : default;
    }

    [Test]
    public void Products_together_may_have_weights_of_different_types([Levels] KernelLevel level)
    {
        float[] y = new float[2], z = new float[1];
        MatMul.Run(1,
            new Product([1, 2], new WeightMatrix(Samples.Stored([3, 4, 5, 6], WeightType.F32), WeightType.F32, 2, 2), y, default),
            new Product([1, 2], new WeightMatrix(Samples.Stored([7, 8], WeightType.F16), WeightType.F16, 1, 2), z, default), default, Samples.At(level));
        Assert.That((float[])[.. y, .. z], Is.EqualTo(new float[] { 11, 17, 23 }));
    }

    [Test]
    public void Epilogue_adds_bias_then_activates_then_adds_the_residual([Levels] KernelLevel level, [Values] ActivationFunction activation,
        [Values(1, 3, 14, 20)] int m)
    {
        const int N = 70, K = 300;
        byte[] w = Samples.Stored(Samples.Uniform(N * K, 1, 0.3f), WeightType.F16);
        float[] x = Samples.Uniform(m * K, 2), bias = Samples.Uniform(N, 3, 3), residual = Samples.Uniform(m * N, 4, 5);
        float[] product = new float[m * N], expected = new float[m * N], actual = new float[m * N];
        MatMul.Run(x, m, new WeightMatrix(w, WeightType.F16, N, K), product, default, Samples.Reference);
        for (int i = 0; i < product.Length; i++) product[i] += bias[i % N];
        Activations.Run(activation, product, expected, Samples.Reference);
        for (int i = 0; i < product.Length; i++) expected[i] += residual[i];

        var epilogue = new Epilogue { Bias = bias, Activation = activation, Residual = residual };
        MatMul.Run(x, m, new WeightMatrix(w, WeightType.F16, N, K), actual, epilogue, Samples.At(level));
        Samples.AssertClose(actual, expected, 4e-5, $"{level} {activation}");

        residual.CopyTo(actual, 0);                                        // in place: y is its own residual
        MatMul.Run(x, m, new WeightMatrix(w, WeightType.F16, N, K), actual,
            new Epilogue { Bias = bias, Activation = activation, Residual = actual }, Samples.At(level));
        Samples.AssertClose(actual, expected, 4e-5, $"{level} {activation} in place");
    }

    [TestCase(1, 6000, 300)]
    [TestCase(4, 3001, 299)]
    [TestCase(13, 3001, 299)]
    [TestCase(130, 1000, 700)]
    public void One_two_and_five_threads_give_the_same_bits(int m, int n, int k)
    {
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            float[] x = Samples.Uniform(m * k, 1);
            byte[] w = Samples.Stored(Samples.Uniform(n * k, 2), WeightType.BF16);
            float[] one = new float[m * n], two = new float[m * n], five = new float[m * n];
            MatMul.Run(x, m, new WeightMatrix(w, WeightType.BF16, n, k), one, default, Samples.At(level, threads: 1));
            MatMul.Run(x, m, new WeightMatrix(w, WeightType.BF16, n, k), two, default, Samples.At(level, threads: 2));
            MatMul.Run(x, m, new WeightMatrix(w, WeightType.BF16, n, k), five, default, Samples.At(level, threads: 5));
            Assert.That(two.AsSpan().SequenceEqual(one) && five.AsSpan().SequenceEqual(one), $"{level}");
        }
    }

    [Test]
    public void NaN_and_infinity_reach_exactly_their_row_and_column([Levels] KernelLevel level, [Values(1, 4, 11, 20)] int m,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        const int N = 50, K = 40;
        float[] x = Samples.Uniform(m * K, 1), weights = Samples.Uniform(N * K, 2), y = new float[m * N], expected = new float[m * N];
        x[((m - 1) * K) + 39] = float.NaN;
        weights[(49 * K) + 3] = float.PositiveInfinity;
        weights[(7 * K) + 16] = float.NaN;
        byte[] w = Samples.Stored(weights, type);
        MatMul.Run(x, m, new WeightMatrix(w, type, N, K), expected, default, Samples.Reference);
        MatMul.Run(x, m, new WeightMatrix(w, type, N, K), y, default, Samples.At(level));
        Samples.AssertClose(y, expected, 1e-5, $"{level}");
    }

    [Test]
    public void A_product_over_k_0_is_the_epilogue_of_0([Levels] KernelLevel level)
    {
        float[] y = new float[6];
        MatMul.Run([], 3, new WeightMatrix([], WeightType.F32, 2, 0), y, new Epilogue { Bias = [1, -2], Activation = ActivationFunction.Relu },
            Samples.At(level));
        Assert.That(y, Is.EqualTo(new float[] { 1, 0, 1, 0, 1, 0 }));
    }

    [Test]
    public void Empty_sides_are_no_work([Levels] KernelLevel level)
    {
        MatMul.Run([], 0, new WeightMatrix(new byte[8], WeightType.F32, 1, 2), [], default, Samples.At(level));
        MatMul.Run([1, 2], 1, new WeightMatrix([], WeightType.F32, 0, 2), [], default, Samples.At(level));
        Assert.Pass();
    }

    [Test]
    public void Wrong_lengths_are_refused_with_both_numbers()
    {
        byte[] w = new byte[4 * 6];
        Assert.That(() => new WeightMatrix(w, WeightType.F32, 2, 4).N, Throws.ArgumentException.With.Message.Contains("32").And.Message.Contains("24"));
        Assert.That(() => new WeightMatrix(w, WeightType.F32, int.MaxValue, int.MaxValue).N, Throws.ArgumentException);
        Assert.That(() => new WeightMatrix(w, WeightType.F32, -2, -3).N, Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new WeightMatrix(w, (WeightType)7, 2, 3).N, Throws.ArgumentException.With.Message.Contains("F32, F16, BF16"));
        Assert.That(() => MatMul.Run(new float[5], 2, new WeightMatrix(w, WeightType.F32, 2, 3), new float[4], default, Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("x.Length is 5").And.Message.Contains("needs 6"));
        Assert.That(() => MatMul.Run(new float[6], 2, new WeightMatrix(w, WeightType.F32, 2, 3), new float[5], default, Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("y.Length is 5").And.Message.Contains("needs 4"));
        Assert.That(() => MatMul.Run(new float[6], 2, new WeightMatrix(w, WeightType.F32, 2, 3), new float[4], new Epilogue { Bias = new float[3] },
            Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("is 3").And.Message.Contains("needs 2"));
        Assert.That(() => MatMul.Run(new float[6], 2, new WeightMatrix(w, WeightType.F32, 2, 3), new float[4], new Epilogue { Residual = new float[2] },
            Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("is 2").And.Message.Contains("needs 4"));
        Assert.That(() => MatMul.Run(new float[6], 2, new WeightMatrix(w, WeightType.F32, 2, 3), new float[4],
            new Epilogue { Activation = (ActivationFunction)77 }, Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("GeluTanh"));
    }
}
