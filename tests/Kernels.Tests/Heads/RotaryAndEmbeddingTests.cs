namespace ManagedTransformers.Kernels.Tests;

public sealed class RotaryAndEmbeddingTests
{
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
    public void A_table_refuses_odd_sizes_and_positions_beyond_it()
    {
        Assert.That(() => new RotaryTable(3, 4), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new RotaryTable(4, 4).Cos(4).ToArray(), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 to 3"));
    }

    [Test]
    public void Lookup_copies_rows_and_LookupAdd_adds_them([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
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
        Assert.That(() => Embedding.Lookup([1, id], new WeightMatrix(Samples.Stored(Samples.Uniform(10, 1), WeightType.F32), WeightType.F32, 5, 2), y,
            Samples.Reference),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("ids[1]").And.Message.Contains("0 to 4"));
        Assert.That(y, Is.All.Zero);
    }
}
