namespace ManagedTransformers.Kernels.Tests;

/// <summary>Attention gives the same bits however a call is cut: alone and among others, in pages, in batches, on any number of threads.
/// </summary>
public sealed class AttentionBitsTests
{
    /// <summary>Query heads that share keys and values: what the same gives where each has a copy of its own.</summary>
    [Test]
    public void A_group_of_heads_has_the_bits_of_heads_with_keys_of_their_own([Levels] KernelLevel level, [Values(1, 6, 50)] int queries,
        [Values(1, 5)] int threads, [Values] bool masked, [Values(WeightType.F32, WeightType.F16)] WeightType type, [Values] bool probabilities)
    {
        const int Keys = 230, D = 24, KeyHeads = 2;
        foreach (int group in (int[])[1, 2, 3, 7])
        {
            byte[] mask = masked ? [.. Enumerable.Range(0, Keys).Select(i => (byte)(i % 5 == 1 || i < 3 ? 0 : 1))] : [];
            int heads = KeyHeads * group;
            var shared = new AttentionCase
            {
                Heads = heads, KeyHeads = KeyHeads, HeadDim = D, Queries = queries, Keys = Keys, Causal = true, HeadMajorCache = true, KeyMask = mask,
                Type = type, WantProbabilities = probabilities, HeadMask = [.. Enumerable.Range(0, heads).Select(head => 1 - (head / 20f))],
            }.Fill();
            var own = new AttentionCase
            {
                Heads = heads, HeadDim = D, Queries = queries, Keys = Keys, Causal = true, HeadMajorCache = true, KeyMask = mask,
                Type = type, WantProbabilities = probabilities, HeadMask = shared.HeadMask, Q = shared.Q, K = Repeated(shared.K), V = Repeated(shared.V),
            };
            float[] expected = own.Run(Samples.At(level, threads), out float[] expectedP), actual = shared.Run(Samples.At(level, threads), out float[] p);
            // Tiles of many queries sum their keys in blocks that begin elsewhere.
            if (queries <= MatMul.StreamedRows || probabilities || level == KernelLevel.Reference)
                Assert.That((actual, p), Is.EqualTo((expected, expectedP)), $"groups of {group}");
            else
                Samples.AssertClose(actual, expected, 2e-6, $"{level} groups of {group}");

            float[] Repeated(float[] x) => [.. Enumerable.Range(0, heads).SelectMany(head => x.Skip(head / group * Keys * D).Take(Keys * D))];
        }
    }

    [Test]
    public unsafe void Pages_give_the_bits_of_a_whole_cache([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16)] WeightType type,
        [Values(1, 8, 20)] int queries, [Values(0, 2)] int keyHeads, [Values(16, 64)] int pageTokens, [Values] bool masked)
    {
        const int Heads = 4, HeadDim = 64, Keys = 205;
        AttentionCase whole = new AttentionCase
        {
            Heads = Heads, KeyHeads = keyHeads, HeadDim = HeadDim, Queries = queries, Keys = Keys, Causal = true, Type = type,
        }.Fill();
        if (masked) whole.KeyMask = [.. Enumerable.Range(0, Keys).Select(key => (byte)(key % 7 == 3 || key > 190 ? 0 : 1))];
        float[] expected = whole.Run(Samples.At(level), out _);

        (int heads, int vector) = (keyHeads == 0 ? Heads : keyHeads, HeadDim * WeightMatrix.ElementSize(type));
        int half = heads * pageTokens * vector;
        byte[][] pages = [.. Enumerable.Range(0, (Keys + pageTokens - 1) / pageTokens).Select(_ => GC.AllocateArray<byte>(2 * half, pinned: true))];
        byte[] keys = Samples.Stored(whole.K, type), values = Samples.Stored(whole.V, type);
        nint[] addresses = [.. pages.Select(page => { fixed (byte* start = page) return (nint)start; })];
        for (int token = 0; token < Keys; token++)
        {
            for (int head = 0; head < heads; head++)
            {
                int from = ((token * heads) + head) * vector, to = ((head * pageTokens) + (token % pageTokens)) * vector;
                keys.AsSpan(from, vector).CopyTo(pages[token / pageTokens].AsSpan(to));
                values.AsSpan(from, vector).CopyTo(pages[token / pageTokens].AsSpan(half + to));
            }
        }
        float[] output = new float[expected.Length];
        var call = new AttentionArguments
        {
            Heads = Heads, KeyHeads = keyHeads, HeadDim = HeadDim, Queries = queries, Keys = Keys, Scale = 1 / MathF.Sqrt(HeadDim), Causal = true,
            Q = whole.Q, QTokenStride = Heads * HeadDim, QHeadStride = HeadDim, KTokenStride = HeadDim, KHeadStride = pageTokens * HeadDim,
            VTokenStride = HeadDim, VHeadStride = pageTokens * HeadDim, Pages = addresses, PageTokens = pageTokens, VOffset = half, PageType = type,
            KeyMask = whole.KeyMask, Output = output,
        };
        Attention.Run(call, Samples.At(level));
        GC.KeepAlive(pages);
        Assert.That(output, Is.EqualTo(expected));
    }

    [TestCase(24, 3, "PageTokens is 24; a power of two from 16 on is needed.")]
    [TestCase(8, 9, "PageTokens is 8;")]
    [TestCase(16, 2, "2 pages of 16 tokens were given for 40 keys.")]
    public void Pages_that_do_not_hold_the_keys_are_refused_with_both_numbers(int pageTokens, int pages, string message) => Assert.That(
        () => Attention.Run(new AttentionArguments
        {
            Heads = 1, HeadDim = 1, Queries = 1, Keys = 40, Q = new float[1], QTokenStride = 1, QHeadStride = 1, KTokenStride = 1, VTokenStride = 1,
            Pages = new nint[pages], PageTokens = pageTokens, Output = new float[1],
        }, Samples.Reference), Throws.ArgumentException.With.Message.Contains(message));

    [Test]
    public void A_query_among_many_has_the_same_bits_among_any_number([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16)] WeightType type, [Values(0, 2)] int keyHeads)
    {
        const int Heads = 4, HeadDim = 20, Width = Heads * HeadDim, Keys = 330;
        AttentionCase all = new AttentionCase
        {
            Heads = Heads, KeyHeads = keyHeads, HeadDim = HeadDim, Queries = Keys, Keys = Keys, Causal = true, Type = type,
        }.Fill();
        float[] together = all.Run(Samples.At(level), out _);
        int keyWidth = all.K.Length / Keys, start = 0;
        foreach (int queries in new[] { 17, 48, 19, 100, 70, 49, 27 })
        {
            int end = start + queries;
            var part = new AttentionCase
            {
                Heads = Heads,
                KeyHeads = keyHeads,
                HeadDim = HeadDim,
                Queries = queries,
                Keys = end,
                Causal = true,
                Type = type,
                Q = all.Q[(start * Width)..(end * Width)],
                K = all.K[..(end * keyWidth)],
                V = all.V[..(end * keyWidth)],
            };
            Assert.That(part.Run(Samples.At(level), out _), Is.EqualTo(together[(start * Width)..(end * Width)]), $"queries {start} … {end - 1}");
            start = end;
        }
        Assert.That(start, Is.EqualTo(Keys));
    }

    [Test]
    public void A_query_among_few_has_the_same_bits_as_alone([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        const int Queries = MatMul.StreamedRows, Keys = 100, Width = 3 * 20;
        AttentionCase all = new AttentionCase { Heads = 3, HeadDim = 20, Queries = Queries, Keys = Keys, Causal = true, Type = type }.Fill();
        float[] together = all.Run(Samples.At(level), out _);
        for (int i = 0; i < Queries; i++)
        {
            int seen = Keys - Queries + i + 1;
            var one = new AttentionCase
            {
                Heads = 3,
                HeadDim = 20,
                Queries = 1,
                Keys = seen,
                Causal = true,
                Type = type,
                Q = all.Q[(i * Width)..((i + 1) * Width)],
                K = all.K[..(seen * Width)],
                V = all.V[..(seen * Width)],
            };
            Assert.That(one.Run(Samples.At(level), out _), Is.EqualTo(together[(i * Width)..((i + 1) * Width)]), $"query {i}");
        }
    }

    [Test]
    public void One_two_and_five_threads_give_the_same_bits([Levels] KernelLevel level, [Values(1, 300)] int queries)
    {
        var large = new AttentionCase { Heads = 4, HeadDim = 64, Queries = queries, Keys = 1000, Causal = true }.Fill();
        float[] one = large.Run(Samples.At(level, threads: 1), out _);
        Assert.That(large.Run(Samples.At(level, threads: 2), out _), Is.EqualTo(one));
        Assert.That(large.Run(Samples.At(level, threads: 5), out _), Is.EqualTo(one));
    }

    /// <summary>Rows with numbers of queries of their own, in one output.</summary>
    private readonly struct Rows(AttentionCase[] cases, float[] output) : IAttentionRows
    {
        public AttentionArguments Row(int row)
        {
            AttentionCase one = cases[row];
            int width = one.Heads * one.HeadDim, first = cases.Take(row).Sum(other => other.Queries);
            return new AttentionArguments
            {
                Heads = one.Heads,
                HeadDim = one.HeadDim,
                Queries = one.Queries,
                Keys = one.Keys,
                Scale = 1,
                Causal = true,
                Q = one.Q,
                QTokenStride = width,
                QHeadStride = one.HeadDim,
                K = one.K,
                KTokenStride = width,
                KHeadStride = one.HeadDim,
                V = one.V,
                VTokenStride = width,
                VHeadStride = one.HeadDim,
                Output = output.AsSpan(first * width, one.Queries * width),
            };
        }
    }

    [TestCase(1, 1, 1, 5)]                                               // threads share the rows
    [TestCase(3, 0, 4, 1)]
    [TestCase(1, 20, 0, 9)]                                              // threads share the heads of each
    public void Rows_of_a_batch_have_the_bits_that_each_has_alone(params int[] queries)
    {
        foreach (KernelLevel level in KernelDispatch.Supported)
        {
            AttentionCase[] cases =
                [.. queries.Select((count, row) => new AttentionCase { Heads = 3, HeadDim = 20, Queries = count, Keys = count + (50 * row) }.Fill())];
            var expected = new float[queries.Sum() * 60];
            for (int row = 0; row < cases.Length; row++) Attention.Run(new Rows(cases, expected).Row(row), Samples.At(level, threads: 1));
            Assert.That(expected, Has.None.Zero);
            foreach (int threads in (int[])[1, 2, 5])
            {
                var actual = new float[expected.Length];
                Attention.Run(cases.Length, new Rows(cases, actual), Samples.At(level, threads));
                Assert.That(actual, Is.EqualTo(expected), $"{level}, {threads} threads");
            }
        }
    }

    [Test]
    public void A_row_that_does_not_fit_is_refused_also_where_threads_share_the_rows([Levels] KernelLevel level)
    {
        AttentionCase[] cases = [new AttentionCase { Heads = 1, HeadDim = 2, Queries = 1, Keys = 1 }.Fill(),
            new AttentionCase { Heads = 1, HeadDim = 2, Queries = 1, Keys = 9, Q = [1], K = new float[18], V = new float[18] }];
        Assert.That(() => Attention.Run(2, new Rows(cases, new float[4]), Samples.At(level)),
            Throws.ArgumentException.With.Message.Contains("Q.Length is 1").And.Message.Contains("at least 2"));
    }
}
