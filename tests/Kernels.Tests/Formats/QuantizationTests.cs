namespace ManagedTransformers.Kernels.Tests;

public sealed class QuantizationTests
{
    private static readonly WeightType[] s_blocked = [WeightType.Int8, WeightType.Int4];

    [Test]
    public void A_block_whose_largest_weight_is_127_is_stored_exactly_as_Int8()
    {
        float[] weights = [.. Enumerable.Range(0, 64).Select(i => i < 32 ? i * 4 - 127f + (i == 31 ? 3 : 0) : (i - 32) / 8f)];
        weights[63] = -127f / 8;
        Assert.That(Decoded(weights, 1, 64, WeightType.Int8), Is.EqualTo(weights));
    }

    [Test]
    public void Integers_from_minus_8_to_7_are_stored_exactly_as_Int4()
    {
        float[] weights = [.. Enumerable.Range(0, 64).Select(i => (i % 16 - 8) * (i < 32 ? 0.25f : 3f))];
        Assert.That(Decoded(weights, 1, 64, WeightType.Int4), Is.EqualTo(weights));
    }

    [TestCase(WeightType.Int8, 0.0065)]
    [TestCase(WeightType.Int4, 0.085)]
    public void Normal_weights_come_back_with_a_small_error(WeightType type, double relative)
    {
        float[] weights = Normal(128 * 256);
        float[] back = Decoded(weights, 128, 256, type);
        double error = Math.Sqrt(weights.Zip(back, (a, b) => (double)(a - b) * (a - b)).Sum() / weights.Sum(a => (double)a * a));
        Assert.That(error, Is.InRange(relative / 3, relative), "root of mean square, relative");
    }

    [Test]
    public void Int4_scales_beat_the_naive_one()
    {
        float[] weights = Normal(64 * 64);
        double best = SquaredError(weights, Decoded(weights, 64, 64, WeightType.Int4));
        double naive = 0;
        foreach (float[] block in weights.Chunk(32))
        {
            float scale = (float)(Half)(block.Max(Math.Abs) / 7);
            naive += block.Sum(w => Math.Pow(w - Math.Clamp(MathF.Round(w / scale), -8, 7) * scale, 2));
        }
        Assert.That(best, Is.LessThan(0.9 * naive));
    }

    [Test]
    public void Zeros_and_a_block_below_a_halfs_range_become_zeros()
    {
        foreach (WeightType type in s_blocked)
        {
            float[] weights = new float[64];
            weights[40] = 1e-12f;
            Assert.That(Decoded(weights, 1, 64, type), Is.All.Zero);
        }
    }

    [Test]
    public void Products_of_few_rows_are_those_of_bytes_for_Int4_and_else_agree_with_Reference([Levels] KernelLevel level,
        [Values(WeightType.Int8, WeightType.Int4)] WeightType type)
    {
        foreach (int m in (int[])[1, 2, 3, 4, 5, 7, 8])
        {
            foreach (int n in (int[])[1, 2, 3, 4, 5, 50, 131])
            {
                foreach (int k in (int[])[64, 128, 192, 1024])
                {
                    byte[] stored = Samples.Weights(Samples.Uniform(n * k, n + k, 0.5f), n, k, type);
                    using var w = new Guarded(stored.Length, 3);
                    stored.CopyTo(w.Bytes);
                    float[] x = Samples.Uniform(m * k, m), expected = new float[m * n], bias = Samples.Uniform(n, 5);
                    using var y = new Guarded(m * n * sizeof(float), 4);
                    var epilogue = new Epilogue { Bias = bias, Activation = ActivationFunction.Relu };
                    // Rows that are no whole vectors of 64 bytes take X as 16-bit integers, as Int8 does.
                    bool bytes = type == WeightType.Int4 && MultipliesBytes(level) && k % 128 == 0;
                    if (bytes) ProductsOfBytes(x, m, stored, type, n, k, expected);
                    else MatMul.Run(x, m, new WeightMatrix(w.Bytes, type, n, k), expected, default, Samples.Reference);
                    for (int i = 0; i < expected.Length; i++) expected[i] = Math.Max(0, expected[i] + bias[i % n]);
                    MatMul.Run(x, m, new WeightMatrix(w.Bytes, type, n, k), y.Floats, epilogue, Samples.At(level));
                    Samples.AssertClose(y.Floats, expected, (bytes ? 2e-6 : 2e-5) * (2 + Math.Sqrt(k)), $"{level} {type} m {m} n {n} k {k}");
                    y.AssertIntact();
                }
            }
        }
    }

    [Test]
    public void A_row_among_few_has_the_same_bits_as_alone([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type,
        [Values(320, 384)] int k)
    {
        const int N = 131;
        var w = new WeightMatrix(Samples.Weights(Samples.Uniform(N * k, 1, 0.3f), N, k, type), type, N, k);
        float[] x = Samples.Uniform(MatMul.MaxStreamedRows * k, 2), alone = new float[MatMul.MaxStreamedRows * N];
        KernelOptions options = Samples.At(level) with { MaxThreads = 2, StreamedRows = MatMul.MaxStreamedRows };
        for (int row = 0; row < MatMul.MaxStreamedRows; row++)
            MatMul.Run(x.AsSpan(row * k, k), 1, w, alone.AsSpan(row * N, N), default, options);
        foreach (int m in (int[])[2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 40, 63, 64])
        {
            float[] together = new float[m * N];
            MatMul.Run(x.AsSpan(0, m * k), m, w, together, default, options);
            Assert.That(together, Is.EqualTo(alone[..(m * N)]), $"{m} rows");
        }
        Assert.That(alone, Has.Some.Not.Zero);
    }

    [Test]
    public void Products_of_many_rows_are_those_of_bytes_where_the_level_multiplies_bytes([Levels] KernelLevel level,
        [Values(WeightType.Int8, WeightType.Int4)] WeightType type)
    {
        foreach (int m in (int[])[9, 16, 17, 33, 70])
        {
            foreach (int n in (int[])[1, 3, 8, 50, 131])
            {
                foreach (int k in (int[])[64, 192, 1024])
                {
                    byte[] stored = Samples.Weights(Samples.Uniform(n * k, n + k, 0.5f), n, k, type);
                    using var w = new Guarded(stored.Length, 3);
                    stored.CopyTo(w.Bytes);
                    float[] x = Samples.Uniform(m * k, m), bias = Samples.Uniform(n, 5), residual = Samples.Uniform(m * n, 6);
                    using var y = new Guarded(m * n * sizeof(float), 4);
                    MatMul.Run(x, m, new WeightMatrix(w.Bytes, type, n, k), y.Floats,
                        new Epilogue { Bias = bias, Activation = ActivationFunction.Relu, Residual = residual }, Samples.At(level));
                    float[] expected = new float[m * n];
                    if (MultipliesBytes(level)) ProductsOfBytes(x, m, stored, type, n, k, expected);
                    else MatMul.Run(x, m, new WeightMatrix(stored, type, n, k), expected, default, Samples.Reference);
                    for (int i = 0; i < expected.Length; i++) expected[i] = Math.Max(0, expected[i] + bias[i % n]) + residual[i];
                    Samples.AssertClose(y.Floats, expected, (MultipliesBytes(level) ? 2e-6 : 2e-5) * (2 + Math.Sqrt(k)), $"{level} {type} m {m} n {n} k {k}");
                    y.AssertIntact();
                }
            }
        }
    }

    [Test]
    public void Products_of_bytes_are_near_those_of_the_stored_weights([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type)
    {
        const int M = 40, N = 96, K = 1024;
        byte[] stored = Samples.Weights(Normal(N * K), N, K, type);
        float[] x = [.. Normal(M * K).Reverse()], expected = new float[M * N], y = new float[M * N];
        MatMul.Run(x, M, new WeightMatrix(stored, type, N, K), expected, default, Samples.Reference);
        MatMul.Run(x, M, new WeightMatrix(stored, type, N, K), y, default, Samples.At(level));
        double error = Math.Sqrt(SquaredError(y, expected) / expected.Sum(e => (double)e * e));
        // 7 bits of X and of W: 1.4 %; 8 bits of X: 0.6 %; floats: none.
        Assert.That(error, Is.LessThan(!MultipliesBytes(level) ? 1e-5 : type == WeightType.Int8 ? 0.0150 : 0.0065));
    }

    [Test]
    public void The_largest_products_do_not_overflow([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type,
        [Values(1, -1)] int xSign, [Values(1, -1)] int wSign)
    {
        const int K = 128;
        byte[] stored = Samples.Weights([.. Enumerable.Repeat(wSign * 127f, K)], 1, K, type);
        foreach (int m in (int[])[1, 4, 17])
        {
            float[] x = [.. Enumerable.Repeat(xSign * 3f, m * K)], y = new float[m];
            MatMul.Run(x, m, new WeightMatrix(stored, type, 1, K), y, default, Samples.At(level));
            Assert.That(y, Is.All.EqualTo(xSign * wSign * 127f * 3 * K).Within(1).Percent);
        }
    }

    [Test]
    public void What_is_not_finite_makes_its_row_NaN_and_no_other([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type,
        [Values(1, 3, 20)] int m,
        [Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        const int N = 5, K = 128;
        byte[] stored = Samples.Weights(Samples.Uniform(N * K, 1, 0.5f), N, K, type);
        float[] x = Samples.Uniform(m * K, 2), clean = new float[m * N], y = new float[m * N];
        MatMul.Run(x, m, new WeightMatrix(stored, type, N, K), clean, default, Samples.At(level));
        x[((m - 1) * K) + 70] = bad;
        MatMul.Run(x, m, new WeightMatrix(stored, type, N, K), y, default, Samples.At(level));
        Assert.That(y[..((m - 1) * N)], Is.EqualTo(clean[..((m - 1) * N)]));
        Assert.That(y[((m - 1) * N)..], Has.All.Matches<float>(v => !float.IsFinite(v)));
    }

    [Test]
    public void Tiny_values_of_X_round_to_zero_next_to_large_ones([Levels] KernelLevel level, [Values(WeightType.Int8, WeightType.Int4)] WeightType type,
        [Values(1, 20)] int m)
    {
        const int N = 5, K = 128;
        byte[] stored = Samples.Weights(Samples.Uniform(N * K, 1, 0.5f), N, K, type);
        float[] x = Samples.Uniform(m * K, 2), y = new float[m * N], expected = new float[m * N];
        for (int i = 0; i < x.Length; i++) x[i] = i % K < 64 ? x[i] * 1e-38f : x[i];
        MatMul.Run(x, m, new WeightMatrix(stored, type, N, K), y, default, Samples.At(level));
        MatMul.Run([.. x.Select(v => Math.Abs(v) < 1e-30f ? 0 : v)], m, new WeightMatrix(stored, type, N, K), expected, default, Samples.At(level));
        Samples.AssertClose(y, expected, 1e-30, $"{level} {type}");
        Assert.That(expected, Has.None.Zero);
    }

    [Test]
    public void Huge_values_of_X_are_multiplied_or_give_NaN_never_another_number([Levels] KernelLevel level,
        [Values(WeightType.Int8, WeightType.Int4)] WeightType type, [Values(1, 20)] int m,
        [Values(93, 106, 114, 119)] int exponent)
    {
        const int N = 5, K = 128;
        byte[] stored = Samples.Weights(Samples.Uniform(N * K, 1, 0.5f), N, K, type);
        float[] small = Samples.Uniform(m * K, 2), y = new float[m * N], expected = new float[m * N];
        MatMul.Run([.. small.Select(v => MathF.ScaleB(v, exponent))], m, new WeightMatrix(stored, type, N, K), y, default, Samples.At(level));
        MatMul.Run(small, m, new WeightMatrix(stored, type, N, K), expected, default, Samples.At(level));
        bool beyond = MultipliesBytes(level) && m > MatMul.StreamedRows && MathF.ScaleB(1, exponent) > 1e33f;
        if (beyond) Assert.That(y, Is.All.NaN);
        else Samples.AssertClose([.. y.Select(v => MathF.ScaleB(v, -exponent))], expected, 1e-6, $"{level} {type}");
    }

    [Test]
    public void What_cannot_be_quantized_is_refused()
    {
        byte[] room = new byte[68];
        Assert.That(() => Quantization.Quantize(new WeightMatrix(new byte[4 * 32], WeightType.F32, 1, 32), WeightType.Int8, room, Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("32 columns").And.Message.Contains("multiple of 64"));
        Assert.That(() => Quantization.Quantize(new WeightMatrix(new byte[4 * 64], WeightType.F32, 1, 64), WeightType.Int8, new byte[67], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("68 bytes").And.Message.Contains("67"));
        Assert.That(() => Quantization.Quantize(new WeightMatrix(room, WeightType.Int8, 1, 64), WeightType.Int4, new byte[36], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("Int8 cannot be quantized"));
        float[] bad = new float[64];
        bad[7] = float.NaN;
        Assert.That(() => Samples.Weights(bad, 1, 64, WeightType.Int4), Throws.ArgumentException.With.Message.Contains("Row 0").And.Message.Contains("NaN"));
        bad[7] = 8.32e6f;                                  // 127 · 65504 is 8319008
        Assert.That(() => Samples.Weights(bad, 1, 64, WeightType.Int8),
            Throws.ArgumentException.With.Message.Contains("up to 8319008 can be quantized to Int8"));
        bad[7] = -524033;                                  // 8 · 65504 is 524032
        Assert.That(() => Samples.Weights(bad, 1, 64, WeightType.Int4), Throws.ArgumentException.With.Message.Contains("holds -524033"));
        Assert.That(() => WeightMatrix.ElementSize(WeightType.Int4), Throws.ArgumentException.With.Message.Contains("blocks of 32"));
    }

    private static bool MultipliesBytes(KernelLevel level) => level is KernelLevel.Avx2 or KernelLevel.Avx512;

    // Integers of X of 7 (Int8) or 8 bits (Int4) for each block, times the bytes of W: Int8 drops its lowest bit, whose mean stays.
    private static void ProductsOfBytes(float[] x, int m, byte[] stored, WeightType type, int n, int k, float[] y)
    {
        const int Block = 32;
        (int most, int unit) = type == WeightType.Int8 ? (63, 2) : (127, 1);
        for (int at = 0; at < k; at += Block)
        {
            for (int i = 0; i < m; i++)
            {
                ReadOnlySpan<float> row = x.AsSpan((i * k) + at, Block);
                float largest = row.ToArray().Max(Math.Abs);
                int[] integers = [.. row.ToArray().Select(v => (int)MathF.Round(v * (most / largest)))];
                for (int j = 0; j < n; j++)
                {
                    float scale = ScaleOf(stored, type, j, k, at / Block);
                    double sum = 0;
                    for (int p = 0; p < Block; p++)
                    {
                        int w = IntegerOf(stored, type, j, k, at + p);
                        sum += integers[p] * (type == WeightType.Int8 ? ((w + 128) >> 1) - 64 : w);
                    }
                    if (type == WeightType.Int8) sum += (64 * integers.Sum()) - Math.Round(integers.Sum() * 255 / 4.0);
                    y[(i * n) + j] += (float)(sum * scale * unit * (largest / most));
                }
            }
        }
    }

    private static int IntegerOf(byte[] stored, WeightType type, int row, int k, int column)
    {
        int start = row * (int)WeightMatrix.BytesOfRow(type, k);
        if (type == WeightType.Int8) return (sbyte)stored[start + column];
        byte both = stored[start + (column / 64 * 32) + (column % 32)];
        return (column % 64 < 32 ? both & 15 : both >> 4) - 8;
    }

    private static float ScaleOf(byte[] stored, WeightType type, int row, int k, int block)
    {
        int rowBytes = (int)WeightMatrix.BytesOfRow(type, k), scales = rowBytes - (k / 32 * 2);
        return (float)BitConverter.ToHalf(stored, (row * rowBytes) + scales + (2 * block));
    }

    private static double SquaredError(float[] a, float[] b) => a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Sum();

    private static float[] Normal(int count)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(_ =>
            (float)(0.02 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    // W · I, the identity: the weights as products see them.
    private static float[] Decoded(float[] weights, int n, int k, WeightType type)
    {
        var w = new WeightMatrix(Samples.Weights(weights, n, k, type), type, n, k);
        float[] identity = new float[k * k], columns = new float[k * n], decoded = new float[n * k];
        for (int i = 0; i < k; i++) identity[(i * k) + i] = 1;
        MatMul.Run(identity, k, w, columns, default, Samples.Reference);
        for (int row = 0; row < n; row++)
        {
            for (int column = 0; column < k; column++) decoded[(row * k) + column] = columns[(column * n) + row];
        }
        return decoded;
    }
}
