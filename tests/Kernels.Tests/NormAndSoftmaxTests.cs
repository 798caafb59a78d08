namespace ManagedTransformers.Kernels.Tests;

public sealed class NormAndSoftmaxTests
{
    [Test]
    public void LayerNorm_of_1_2_3_has_mean_0_and_unit_variance([Levels] KernelLevel level)
    {
        // mean 2, variance 2/3: (1 − 2) / √(2/3) = −1.2247
        float[] y = new float[3];
        LayerNorm.Run([1, 2, 3], [1, 1, 1], [0, 0, 0], eps: 0, y, Samples.At(level));
        Assert.That(y, Is.EqualTo(new[] { -1.2247449f, 0f, 1.2247449f }).Within(1e-6));
    }

    [Test]
    public void LayerNorm_agrees_with_Reference_at_every_length_and_start([Levels] KernelLevel level, [Values(1, 2, 5)] int rows)
    {
        foreach (int hidden in Samples.Lengths.Where(length => length > 0))
        {
            using var x = Guarded.Of(Samples.Uniform(rows * hidden, 1, 3), hidden % 3);
            using var weight = Guarded.Of(Samples.Uniform(hidden, 2), 1);
            using var bias = Guarded.Of(Samples.Uniform(hidden, 3), 2);
            using var y = new Guarded(rows * hidden * sizeof(float), hidden % 5 * sizeof(float));
            float[] expected = new float[rows * hidden];
            LayerNorm.Run(x.Floats, weight.Floats, bias.Floats, 1e-5f, expected, Samples.Reference);
            LayerNorm.Run(x.Floats, weight.Floats, bias.Floats, 1e-5f, y.Floats, Samples.At(level));
            Samples.AssertClose(y.Floats, expected, 5e-6, $"{level} {rows} × {hidden}");
            y.AssertIntact();

            LayerNorm.Run(x.Floats, weight.Floats, bias.Floats, 1e-5f, x.Floats, Samples.At(level));
            Assert.That(x.Floats.SequenceEqual(y.Floats), "in place");
        }
    }

    [Test]
    public void LayerNorm_survives_a_mean_far_from_0([Levels] KernelLevel level)
    {
        // 1000 ± 0.01: a variance computed as E(x²) − E(x)² would be noise
        float[] x = Samples.Uniform(768, 1, 0.01f).Select(v => v + 1000).ToArray();
        float[] ones = Enumerable.Repeat(1f, 768).ToArray(), y = new float[768], expected = new float[768];
        LayerNorm.Run(x, ones, new float[768], 1e-12f, expected, Samples.Reference);
        LayerNorm.Run(x, ones, new float[768], 1e-12f, y, Samples.At(level));
        Samples.AssertClose(y, expected, 0.02, $"{level}");               // one rounding of the mean (6e-5 of 1000 …) against a deviation of 0.006
    }

    [Test]
    public void NaN_and_infinity_spoil_their_own_row_only([Levels] KernelLevel level,
        [Values(float.NaN, float.PositiveInfinity, float.NegativeInfinity)] float value)
    {
        float[] x = Samples.Uniform(3 * 37, 1), y = new float[3 * 37], ones = Enumerable.Repeat(1f, 37).ToArray();
        x[37 + 36] = value;
        LayerNorm.Run(x, ones, new float[37], 1e-5f, y, Samples.At(level));
        Assert.That(y[37..74], Is.All.NaN);
        Assert.That(y[..37].Concat(y[74..]), Has.None.NaN);
    }

    [Test]
    public void LayerNorm_refuses_broken_rows_with_both_numbers()
    {
        Assert.That(() => LayerNorm.Run(new float[7], new float[3], new float[3], 0, new float[7], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("7").And.Message.Contains("3"));
        Assert.That(() => LayerNorm.Run(new float[6], new float[3], new float[2], 0, new float[6], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("3").And.Message.Contains("2"));
        Assert.That(() => LayerNorm.Run(new float[6], new float[3], new float[3], 0, new float[5], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("6").And.Message.Contains("5"));
        Assert.That(() => LayerNorm.Run(new float[6], [], [], 0, new float[6], Samples.Reference), Throws.ArgumentException);
    }

    [Test]
    public void RmsNorm_of_1_2_3_divides_by_the_root_of_14_thirds([Levels] KernelLevel level)
    {
        // mean square (1 + 4 + 9) / 3; the mean stays in: 1 / √(14/3) = 0.4629
        float[] y = new float[3];
        RmsNorm.Run([1, 2, 3], [1, 1, 2], eps: 0, y, Samples.At(level));
        Assert.That(y, Is.EqualTo(new[] { 0.46291f, 0.92582f, 2.77746f }).Within(1e-5));
    }

    [Test]
    public void RmsNorm_agrees_with_Reference_at_every_length_and_start([Levels] KernelLevel level, [Values(1, 2, 5)] int rows)
    {
        foreach (int hidden in Samples.Lengths.Where(length => length > 0))
        {
            using var x = Guarded.Of(Samples.Uniform(rows * hidden, 1, 3), hidden % 3);
            using var weight = Guarded.Of(Samples.Uniform(hidden, 2), 1);
            using var y = new Guarded(rows * hidden * sizeof(float), hidden % 5 * sizeof(float));
            float[] expected = new float[rows * hidden];
            RmsNorm.Run(x.Floats, weight.Floats, 1e-5f, expected, Samples.Reference);
            RmsNorm.Run(x.Floats, weight.Floats, 1e-5f, y.Floats, Samples.At(level));
            Samples.AssertClose(y.Floats, expected, 5e-6, $"{level} {rows} × {hidden}");
            y.AssertIntact();

            RmsNorm.Run(x.Floats, weight.Floats, 1e-5f, x.Floats, Samples.At(level));
            Assert.That(x.Floats.SequenceEqual(y.Floats), "in place");
        }
    }

    [Test]
    public void A_NaN_spoils_its_own_row_of_RmsNorm_only([Levels] KernelLevel level)
    {
        float[] x = Samples.Uniform(3 * 37, 1), y = new float[3 * 37], ones = Enumerable.Repeat(1f, 37).ToArray();
        x[37 + 36] = float.NaN;
        RmsNorm.Run(x, ones, 1e-5f, y, Samples.At(level));
        Assert.That(y[37..74], Is.All.NaN);
        Assert.That(y[..37].Concat(y[74..]), Has.None.NaN);
    }

    [Test]
    public void RmsNorm_refuses_broken_rows_with_both_numbers()
    {
        Assert.That(() => RmsNorm.Run(new float[7], new float[3], 0, new float[7], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("7").And.Message.Contains("3"));
        Assert.That(() => RmsNorm.Run(new float[6], new float[3], 0, new float[5], Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("6").And.Message.Contains("5"));
    }

    [Test]
    public void Softmax_agrees_with_Reference_and_sums_to_1([Levels] KernelLevel level)
    {
        foreach (int length in Samples.Lengths.Where(length => length > 0))
        {
            using var x = Guarded.Of(Samples.Uniform(length, length, 20), length % 3);
            using var y = new Guarded(length * sizeof(float), 4);
            float[] expected = new float[length];
            Softmax.Run(x.Floats, expected, Samples.Reference);
            Softmax.Run(x.Floats, y.Floats, Samples.At(level));
            Samples.AssertClose(y.Floats, expected, 1e-6, $"{level} {length}");
            double sum = 0;
            foreach (float p in y.Floats) sum += p;
            Assert.That(sum, Is.EqualTo(1).Within(1e-5));
            Assert.That(Softmax.LogSumExp(x.Floats, Samples.At(level)), Is.EqualTo(Softmax.LogSumExp(x.Floats, Samples.Reference)).Within(1e-5));
            Softmax.Run(x.Floats, x.Floats, Samples.At(level));
            Assert.That(x.Floats.SequenceEqual(y.Floats), "in place");
            x.AssertIntact();
            y.AssertIntact();
        }
    }

    [Test]
    public void Softmax_of_a_vocabulary_keeps_the_small_exponentials_beside_a_large_one([Levels] KernelLevel level)
    {
        // 8191 · e^−17 = 0.00033910: 1 / 1.0003391 = 0.99966102. A sum that has reached 1 loses each of them: they are less than half of its last place.
        float[] x = new float[8192], y = new float[8192];
        x.AsSpan().Fill(-17);
        x[0] = 0;
        Softmax.Run(x, y, Samples.At(level));
        Assert.That(y[0], Is.EqualTo(0.99966102).Within(5e-5));
    }

    [Test]
    public void Softmax_and_LogSumExp_treat_NaN_and_infinity_as_Reference_does([Levels] KernelLevel level)
    {
        float[][] rows =
        [
            [float.NaN], [1, float.NaN, 2], [float.NaN, float.PositiveInfinity],
            [float.PositiveInfinity, float.NaN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [1, float.PositiveInfinity], [float.NegativeInfinity], [float.NegativeInfinity, float.NegativeInfinity], [float.NegativeInfinity, 3],
            [float.MaxValue, float.MinValue], [.. Enumerable.Repeat(float.NegativeInfinity, 40)], [.. Enumerable.Repeat(float.NegativeInfinity, 40), 1],
            [.. Enumerable.Repeat(1f, 40), float.NaN], [float.NaN, .. Enumerable.Repeat(1f, 40)], [], [1000, 1000.5f, 999],
        ];
        foreach (float[] x in rows)
        {
            float[] y = new float[x.Length], expected = new float[x.Length];
            Softmax.Run(x, expected, Samples.Reference);
            Softmax.Run(x, y, Samples.At(level));
            string what = string.Join(' ', x);
            Samples.AssertClose(y, expected, 1e-6, what);
            Assert.That(Softmax.LogSumExp(x, Samples.At(level)), Is.EqualTo(Softmax.LogSumExp(x, Samples.Reference)).Within(1e-6), what);
        }
    }
}
