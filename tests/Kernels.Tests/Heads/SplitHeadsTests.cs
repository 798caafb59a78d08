namespace ManagedTransformers.Kernels.Tests;

public sealed class SplitHeadsTests
{
    /// <summary>A call with everything it needs, so that it can be made at two levels.</summary>
    private sealed class Case
    {
        public required HeadLayout Query, Key, Value;
        public required int Width;
        public int Tokens = 1, MaxLength = 1, Past, Misalignment;
        public RotaryTable? Rotary;
        public int[] Positions = [];
        public WeightType Type;
        public float[] X = [];

        public (float[] X, float[] Q, byte[] K, byte[] V) Run(KernelOptions options)
        {
            int size = WeightMatrix.ElementSize(Type);
            using var x = Guarded.Of(X, Misalignment);
            using var q = new Guarded(Tokens * Query.Heads * Query.HeadDim * sizeof(float), 4);
            using var k = new Guarded(Key.Heads * MaxLength * Key.HeadDim * size, Misalignment);
            using var v = new Guarded(Value.Heads * MaxLength * Value.HeadDim * size, Misalignment);
            SplitHeads.Run(
                new SplitHeadsArguments
                {
                    Tokens = Tokens,
                    Query = new ProjectedHeads(x.Floats, Width, Query),
                    Key = new ProjectedHeads(x.Floats, Width, Key),
                    Value = new ProjectedHeads(x.Floats, Width, Value),
                    Rotary = Rotary,
                    Positions = Positions,
                    Q = q.Floats,
                    K = k.Bytes,
                    V = v.Bytes,
                    Type = Type,
                    MaxLength = MaxLength,
                    Past = Past,
                }, options);
            foreach (Guarded memory in (Guarded[])[x, q, k, v]) memory.AssertIntact();
            return (x.Floats.ToArray(), q.Floats.ToArray(), k.Bytes.ToArray(), v.Bytes.ToArray());
        }
    }

    /// <summary>Heads of a fused projection as models lay them out, [tokens, heads · head_dim + 2 · key heads · head_dim].</summary>
    private static Case LaidOut(string layout, int heads, int keyHeads, int d)
    {
        int blocks = layout == "blocks of q|v|k" ? 2 : layout == "q|k|v of each head" ? heads : 1;
        int q = heads / blocks * d, k = keyHeads / blocks * d, stride = q + (2 * k);
        (int key, int value) = layout == "blocks of q|v|k" ? (q + k, q) : (q, q + k);
        return new Case
        {
            Query = new HeadLayout(heads, d, 0, heads / blocks, stride),
            Key = new HeadLayout(keyHeads, d, key, keyHeads / blocks, stride),
            Value = new HeadLayout(keyHeads, d, value, keyHeads / blocks, stride),
            Width = blocks * stride,
        };
    }

    [Test]
    public void A_turn_by_1_takes_1_2_to_cos_minus_2_sin_and_2_cos_plus_sin([Levels] KernelLevel level)
    {
        // position 1, pair 0: the angle 1, cos 1 = 0.5403, sin 1 = 0.8415
        Case one = LaidOut("q|k|v", 1, 1, 3);
        (one.Rotary, one.Positions, one.X) = (new RotaryTable(rotaryDim: 2, positions: 2), [1], [1, 2, 9, 3, 4, 8, 5, 6, 7]);
        (float[] x, float[] q, byte[] k, byte[] v) = one.Run(Samples.At(level));
        (double cos, double sin) = (Math.Cos(1), Math.Sin(1));
        Assert.That(q, Is.EqualTo(new[] { cos - (2 * sin), (2 * cos) + sin, 9 }).Within(1e-6));
        Assert.That(Floats(k), Is.EqualTo(new[] { (3 * cos) - (4 * sin), (4 * cos) + (3 * sin), 8 }).Within(1e-6));
        Assert.That(Floats(v), Is.EqualTo(new float[] { 5, 6, 7 }));
        Assert.That(x, Is.EqualTo((float[])[.. q, .. Floats(k), 5, 6, 7]), "turned in place");
    }

    [Test]
    public void In_halves_a_turn_by_1_takes_1_2_at_places_0_and_2_to_cos_minus_2_sin_and_2_cos_plus_sin([Levels] KernelLevel level)
    {
        // head_dim 5, of which 4 turn, position 1: the pair (0, 2) by 1 · 1, the pair (1, 3) by 1 · 0, cos and sin twice as large
        Case one = LaidOut("q|k|v", 1, 1, 5);
        (one.Rotary, one.Positions) = (new RotaryTable([1, 0], first: 1, positions: 2, RotaryPairs.Halves, scale: 2), [1]);
        one.X = [1, 3, 2, 4, 9, 5, 7, 6, 8, 9, 10, 11, 12, 13, 14];
        (_, float[] q, byte[] k, byte[] v) = one.Run(Samples.At(level));
        (double cos, double sin) = (2 * Math.Cos(1), 2 * Math.Sin(1));
        Assert.That(q, Is.EqualTo(new[] { cos - (2 * sin), 6, (2 * cos) + sin, 8, 9 }).Within(1e-5));
        Assert.That(Floats(k), Is.EqualTo(new[] { (5 * cos) - (6 * sin), 14, (6 * cos) + (5 * sin), 16, 9 }).Within(1e-5));
        Assert.That(Floats(v), Is.EqualTo(new float[] { 10, 11, 12, 13, 14 }));
    }

    [Test]
    public void Projections_of_their_own_give_the_bits_of_a_fused_one_and_queries_may_turn_where_they_are([Levels] KernelLevel level)
    {
        const int Heads = 4, KeyHeads = 2, D = 6, Tokens = 3, Width = (Heads + (2 * KeyHeads)) * D;
        Case fused = LaidOut("q|k|v", Heads, KeyHeads, D);
        RotaryTable table = new(RotaryTable.Frequencies(D, 10000), first: 0, positions: 9, RotaryPairs.Halves);
        (fused.Tokens, fused.MaxLength, fused.Rotary, fused.Positions, fused.X) = (Tokens, Tokens, table, [6, 7, 8], Samples.Uniform(Tokens * Width, 1));
        (_, float[] q, byte[] k, byte[] v) = fused.Run(Samples.At(level));

        float[] queries = Columns(0, Heads), keys = Columns(Heads, KeyHeads), values = Columns(Heads + KeyHeads, KeyHeads);
        byte[] ownK = new byte[k.Length], ownV = new byte[v.Length];
        SplitHeads.Run(
            new SplitHeadsArguments
            {
                Tokens = Tokens,
                Query = new ProjectedHeads(queries, Heads * D, new HeadLayout(Heads, D)),
                Key = new ProjectedHeads(keys, KeyHeads * D, new HeadLayout(KeyHeads, D)),
                Value = new ProjectedHeads(values, KeyHeads * D, new HeadLayout(KeyHeads, D)),
                Rotary = table,
                Positions = fused.Positions,
                Q = queries,
                K = ownK,
                V = ownV,
                MaxLength = Tokens,
            }, Samples.At(level));
        Assert.That((queries, ownK, ownV), Is.EqualTo((q, k, v)));

        float[] Columns(int first, int heads) =>
            [.. Enumerable.Range(0, Tokens * heads * D).Select(i => fused.X[(i / (heads * D) * Width) + (first * D) + (i % (heads * D))])];
    }

    [Test]
    public void Each_layout_brings_every_head_to_its_place([Levels] KernelLevel level,
        [Values("q|k|v", "q|k|v of each head", "blocks of q|v|k")] string layout, [Values(1, 2)] int queriesPerKey)
    {
        // the values say what they are: kind · 100 + head · 10 + dimension
        const int KeyHeads = 2, D = 3, Tokens = 2, MaxLength = 5, Past = 2;
        if (layout == "q|k|v of each head" && queriesPerKey > 1) return;
        int heads = KeyHeads * queriesPerKey;
        Case split = LaidOut(layout, heads, KeyHeads, D);
        (split.Tokens, split.MaxLength, split.Past, split.X) = (Tokens, MaxLength, Past, new float[Tokens * split.Width]);
        for (int token = 0; token < Tokens; token++)
        {
            Span<float> row = split.X.AsSpan(token * split.Width, split.Width);
            for (int head = 0; head < heads; head++) Fill(split.Query.Of(row, head), 100 + (head * 10) + (token * 1000));
            for (int head = 0; head < KeyHeads; head++) Fill(split.Key.Of(row, head), 200 + (head * 10) + (token * 1000));
            for (int head = 0; head < KeyHeads; head++) Fill(split.Value.Of(row, head), 300 + (head * 10) + (token * 1000));
        }
        Assert.That(split.X, Has.None.Zero, "the layouts cover the row");

        (_, float[] q, byte[] k, byte[] v) = split.Run(Samples.At(level));
        for (int token = 0; token < Tokens; token++)
        {
            for (int head = 0; head < heads; head++)
                Assert.That(q[((token * heads) + head) * D], Is.EqualTo(100 + (head * 10) + (token * 1000)));
            for (int head = 0; head < KeyHeads; head++)
            {
                int at = ((head * MaxLength) + Past + token) * D;
                Assert.That(Floats(k)[at..(at + D)], Is.EqualTo(new float[] { 200, 201, 202 }.Select(value => value + (head * 10) + (token * 1000))));
                Assert.That(Floats(v)[at..(at + D)], Is.EqualTo(new float[] { 300, 301, 302 }.Select(value => value + (head * 10) + (token * 1000))));
            }
        }

        static void Fill(Span<float> head, float start)
        {
            for (int d = 0; d < head.Length; d++) head[d] = start + d;
        }
    }

    [Test]
    public void Every_size_agrees_with_Reference_and_leaves_the_rest_of_the_cache_alone([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type, [Values] bool halves)
    {
        for (int half = 0; half <= 33; half++)
        {
            int d = (2 * half) + 3;
            Case split = LaidOut("q|k|v", 3, 3, d);
            (split.Type, split.Tokens, split.MaxLength, split.Past, split.Misalignment) = (type, 2, 4, 1, half % 4);
            RotaryTable table = new(RotaryTable.Frequencies(2 * half, 10000), first: 1, positions: 7, halves ? RotaryPairs.Halves : RotaryPairs.Interleaved);
            (split.Rotary, split.Positions, split.X) = (table, [6, 2], Samples.Uniform(2 * split.Width, half));
            (float[] x, float[] q, byte[] k, byte[] v) = split.Run(Samples.At(level));
            (float[] expectedX, float[] expectedQ, byte[] expectedK, byte[] expectedV) = split.Run(Samples.Reference);
            Samples.AssertClose(x, expectedX, 1e-6, $"{level} {half} x");
            Samples.AssertClose(q, expectedQ, 1e-6, $"{level} {half} q");
            double within = type == WeightType.F32 ? 1e-6 : type == WeightType.F16 ? 1e-3 : 1e-2;
            Samples.AssertClose(Floats(k, type), Floats(expectedK, type), within, $"{level} {half} k");
            Assert.That(v, Is.EqualTo(expectedV), "values are stored as they are");
            byte[] vector = k[(d * WeightMatrix.ElementSize(type))..(2 * d * WeightMatrix.ElementSize(type))];
            Assert.That(vector, Is.EqualTo(Samples.Stored(split.Key.Of(x, 0), type)), "what is stored is the turned key, rounded to nearest");
            Assert.That(k.AsSpan(0, d * WeightMatrix.ElementSize(type)).IndexOfAnyExcept((byte)0xA5), Is.EqualTo(-1), "token 0 of head 0 was there before");
        }
    }

    [Test]
    public void One_two_and_five_threads_give_the_same_bits([Levels] KernelLevel level, [Values(1, MatMul.StreamedRows, 40)] int tokens)
    {
        Case split = LaidOut("blocks of q|v|k", 4, 4, 20);
        (split.Tokens, split.MaxLength, split.Type) = (tokens, tokens, WeightType.F16);
        (split.Rotary, split.Positions, split.X) = (new RotaryTable(8, 100), [.. Enumerable.Range(50, tokens)], Samples.Uniform(tokens * split.Width, 3));
        (float[] x, float[] q, byte[] k, byte[] v) = split.Run(Samples.At(level, threads: 1));
        foreach (int threads in (int[])[2, 5])
            Assert.That(split.Run(Samples.At(level, threads)), Is.EqualTo((x, q, k, v)));
    }

    [Test]
    public void Without_queries_keys_and_values_are_stored_alone([Levels] KernelLevel level)
    {
        Case split = LaidOut("q|k|v", 1, 1, 2);
        (split.Query, split.X) = (new HeadLayout(0, 2), [1, 2, 3, 4, 5, 6]);
        (float[] x, float[] q, byte[] k, byte[] v) = split.Run(Samples.At(level));
        Assert.That(q, Is.Empty);
        Assert.That((Floats(k), Floats(v), x), Is.EqualTo((new float[] { 3, 4 }, new float[] { 5, 6 }, new float[] { 1, 2, 3, 4, 5, 6 })));
    }

    [Test]
    public void Wrong_sizes_are_refused_with_both_numbers()
    {
        Case Good()
        {
            Case good = LaidOut("q|k|v", 2, 2, 4);
            (good.Tokens, good.MaxLength, good.Rotary, good.Positions, good.X) = (3, 5, new RotaryTable(4, 9), [0, 1, 2], new float[3 * good.Width]);
            return good;
        }
        static Action Call(Case c) => () => c.Run(Samples.Reference);

        Case bad = Good();
        bad.X = new float[71];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("X.Length is 71").And.Message.Contains("needs 72"));
        bad = Good();
        bad.Past = 3;
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("MaxLength is 5").And.Message.Contains("3 tokens after 3 needs at least 6"));
        bad = Good();
        bad.Value = bad.Value with { First = 17 };
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("Width is 24")
            .And.Message.Contains("Value, 2 heads").And.Message.Contains("at least 25"));
        bad = Good();
        bad.Key = bad.Key with { HeadsPerBlock = 4 };
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("2 heads in blocks of 4"));
        bad = Good();
        bad.Key = bad.Key with { Heads = 1, HeadsPerBlock = 1 };
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("key.Heads is 1 and value.Heads is 2"));
        bad = Good();
        bad.Rotary = new RotaryTable(6, 9);
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("HeadDim is 4").And.Message.Contains("turns 6 values"));
        bad = Good();
        bad.Positions = [0, 9, 1];
        Assert.That(Call(bad), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Positions[1] is 9").And.Message.Contains("0 to 8"));
        bad = Good();
        bad.Positions = [0, 1];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("Positions.Length is 2").And.Message.Contains("3 tokens"));
    }

    [Test]
    public void A_cache_of_blocks_is_refused() =>
        Assert.That(() => SplitHeads.Run(new SplitHeadsArguments { Type = WeightType.Int8 }, Samples.Reference),
            Throws.ArgumentException.With.Message.Contains("Int8 stores elements in blocks of 32"));

    private static float[] Floats(byte[] stored, WeightType type = WeightType.F32)
    {
        float[] floats = new float[stored.Length / WeightMatrix.ElementSize(type)];
        Conversion.Widen(stored, type, floats, Samples.Reference);
        return floats;
    }
}
