namespace ManagedTransformers.Kernels.Tests;

public sealed class RotaryAndEmbeddingTests
{
    [Test]
    public void A_quarter_turn_takes_1_2_to_minus_2_1([Levels] KernelLevel level)
    {
        float[] x = [1, 2, 9];
        Rotary.Run(x, heads: 1, headStride: 3, cos: [0], sin: [1], Samples.At(level));
        Assert.That(x, Is.EqualTo(new float[] { -2, 1, 9 }));
    }

    [Test]
    public void Rotary_agrees_with_Reference_for_every_size_and_leaves_the_rest_alone([Levels] KernelLevel level)
    {
        for (int half = 0; half <= 33; half++)
        {
            const int Heads = 3;
            int stride = (2 * half) + 3;
            float[] cos = Samples.Uniform(half, 1), sin = Samples.Uniform(half, 2), start = Samples.Uniform(Heads * stride, 3);
            using var x = Guarded.Of(start, half % 3);
            float[] expected = [.. start];
            Rotary.Run(expected, Heads, stride, cos, sin, Samples.Reference);
            Rotary.Run(x.Floats, Heads, stride, cos, sin, Samples.At(level));
            Samples.AssertClose(x.Floats, expected, 1e-6, $"{level} {half}");
            for (int i = 0; i < start.Length; i++)
            {
                if (i % stride >= 2 * half) Assert.That(x.Floats[i], Is.EqualTo(start[i]));
            }
            x.AssertIntact();
        }
    }

    [Test]
    public void A_table_holds_cos_and_sin_of_position_times_inverse_frequency()
    {
        var table = new RotaryTable(rotaryDim: 64, positions: 2048);
        Assert.That(table.Cos(0).ToArray(), Is.All.EqualTo(1f));
        Assert.That(table.Sin(1)[0], Is.EqualTo(MathF.Sin(1)));
        Assert.That(table.Sin(2047)[31], Is.EqualTo(Math.Sin(2047 / Math.Pow(10000, 62 / 64.0))).Within(1e-6));
        Assert.That(table.Cos(2047).Length, Is.EqualTo(32));
    }

    [Test]
    public void Rotary_refuses_what_does_not_fit()
    {
        Assert.That(() => new RotaryTable(3, 4), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new RotaryTable(4, 4).Cos(4).ToArray(), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 to 3"));
        Assert.That(() => Rotary.Run(new float[7], 2, 4, new float[2], new float[2], Samples.Reference), Throws.ArgumentException.With.Message.Contains("7").And.Message.Contains("8"));
        Assert.That(() => Rotary.Run(new float[8], 2, 4, new float[2], new float[1], Samples.Reference), Throws.ArgumentException.With.Message.Contains("2").And.Message.Contains("1"));
    }

    [Test]
    public void Lookup_copies_rows_and_LookupAdd_adds_them([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        const int Rows = 5, Hidden = 19;
        float[] values = [.. Enumerable.Range(0, Rows * Hidden).Select(i => i / 4f)];            // exact in all types
        byte[] stored = Samples.Stored(values, type);
        int[] ids = [4, 0, 4, 2];
        float[] y = new float[ids.Length * Hidden];
        var table = new WeightMatrix(stored, type, Rows, Hidden);
        Embedding.Lookup(ids, table, y, Samples.At(level));
        for (int i = 0; i < y.Length; i++) Assert.That(y[i], Is.EqualTo(values[(ids[i / Hidden] * Hidden) + (i % Hidden)]));
        Embedding.LookupAdd(ids, table, y, Samples.At(level));
        for (int i = 0; i < y.Length; i++) Assert.That(y[i], Is.EqualTo(2 * values[(ids[i / Hidden] * Hidden) + (i % Hidden)]));
    }

    [Test]
    public void Many_tokens_are_looked_up_by_several_threads([Levels] KernelLevel level)
    {
        const int Rows = 50, Hidden = 300, Tokens = 400;
        float[] values = [.. Enumerable.Range(0, Rows * Hidden).Select(i => i / 4f)], y = new float[Tokens * Hidden];
        var table = new WeightMatrix(Samples.Stored(values, WeightType.F32), WeightType.F32, Rows, Hidden);
        int[] ids = [.. Enumerable.Range(0, Tokens).Select(i => i * 7 % Rows)];
        Embedding.Lookup(ids, table, y, Samples.At(level, threads: 3));
        Embedding.LookupAdd(ids, table, y, Samples.At(level, threads: 3));
        Assert.That(y, Is.EqualTo(ids.SelectMany(id => values[(id * Hidden)..((id + 1) * Hidden)]).Select(value => 2 * value)));
    }

    [TestCase(-1)]
    [TestCase(5)]
    [TestCase(int.MaxValue)]
    [TestCase(int.MinValue)]
    public void An_id_outside_the_table_is_refused_before_anything_is_written(int id)
    {
        float[] y = new float[4];
        Assert.That(() => Embedding.Lookup([1, id], new WeightMatrix(Samples.Stored(Samples.Uniform(10, 1), WeightType.F32), WeightType.F32, 5, 2), y, Samples.Reference),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("ids[1]").And.Message.Contains("0 to 4"));
        Assert.That(y, Is.All.Zero);
    }
}
