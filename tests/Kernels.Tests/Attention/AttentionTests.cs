namespace ManagedTransformers.Kernels.Tests;

public sealed class AttentionTests
{
    /// <summary>One call with everything it needs, so that it can be made at two levels.</summary>
    private sealed class Case
    {
        public required int Heads, HeadDim, Queries, Keys;
        public int KeyHeads;
        public bool Causal, WantProbabilities, HeadMajorCache;
        public WeightType Type;
        public byte[] KeyMask = [];
        public float[] HeadMask = [], Bias = [];
        public int[] Places = [];
        public float[] Q = [], K = [], V = [];

        public Case Fill()
        {
            Q = Samples.Uniform(Queries * Heads * HeadDim, 1, 2);
            K = Samples.Uniform(Keys * HeadsOfKeys * HeadDim, 2, 2);
            V = Samples.Uniform(Keys * HeadsOfKeys * HeadDim, 3);
            return this;
        }

        private int HeadsOfKeys => KeyHeads == 0 ? Heads : KeyHeads;

        public float[] Run(KernelOptions options, out float[] probabilities)
        {
            using var output = new Guarded(Queries * Heads * HeadDim * sizeof(float), 4);
            using var p = new Guarded(WantProbabilities ? Heads * Queries * Keys * sizeof(float) : 0, 4);
            int width = Heads * HeadDim, keyWidth = HeadsOfKeys * HeadDim;
            Attention.Run(
                new AttentionArguments
                {
                    Heads = Heads,
                    KeyHeads = KeyHeads,
                    HeadDim = HeadDim,
                    Queries = Queries,
                    Keys = Keys,
                    Scale = 1 / MathF.Sqrt(HeadDim),
                    Causal = Causal,
                    Q = Q,
                    QTokenStride = width,
                    QHeadStride = HeadDim,
                    K = Store(K),
                    KTokenStride = HeadMajorCache ? HeadDim : keyWidth,
                    KHeadStride = HeadMajorCache ? Keys * HeadDim : HeadDim,
                    V = Store(V),
                    VTokenStride = HeadMajorCache ? HeadDim : keyWidth,
                    VHeadStride = HeadMajorCache ? Keys * HeadDim : HeadDim,
                    KeyMask = KeyMask,
                    HeadMask = HeadMask,
                    Bias = Bias,
                    Places = Places,
                    Output = output.Floats,
                    Probabilities = p.Floats,
                }, options);
            output.AssertIntact();
            p.AssertIntact();
            probabilities = p.Floats.ToArray();
            return output.Floats.ToArray();
        }

        // From an odd byte on: stored values need no alignment.
        private StoredSpan Store(float[] values)
        {
            if (Type == WeightType.F32) return values;
            byte[] stored = [0, .. Samples.Stored(values, Type)];
            return new StoredSpan(stored.AsSpan(1), Type);
        }

        // The same call with the stored keys and values as floats.
        private Case Widened()
        {
            var widened = (Case)MemberwiseClone();
            (widened.Type, widened.K, widened.V) = (WeightType.F32, Samples.Rounded(K, Type), Samples.Rounded(V, Type));
            return widened;
        }

        public void AssertAgrees(KernelLevel level, double within = 5e-6)
        {
            float[] expected = Widened().Run(Samples.Reference, out float[] expectedP), actual = Run(Samples.At(level), out float[] actualP);
            string what = $"{level} {Type} {Heads} heads of {HeadDim}, {Queries} queries, {Keys} keys, causal {Causal}, mask {KeyMask.Length > 0}";
            Samples.AssertClose(actual, expected, within, what);
            Samples.AssertClose(actualP, expectedP, 2e-6, what);
        }
    }

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
            var shared = new Case
            {
                Heads = heads, KeyHeads = KeyHeads, HeadDim = D, Queries = queries, Keys = Keys, Causal = true, HeadMajorCache = true, KeyMask = mask,
                Type = type, WantProbabilities = probabilities, HeadMask = [.. Enumerable.Range(0, heads).Select(head => 1 - (head / 20f))],
            }.Fill();
            var own = new Case
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

    [TestCase(4, 3)]
    [TestCase(2, 4)]
    public void Heads_of_keys_that_do_not_divide_the_heads_are_refused_with_both_numbers(int heads, int keyHeads)
    {
        Case bad = new Case { Heads = heads, KeyHeads = keyHeads, HeadDim = 2, Queries = 1, Keys = 1 }.Fill();
        Assert.That(() => bad.Run(Samples.Reference, out _),
            Throws.ArgumentException.With.Message.Contains($"Heads is {heads}").And.Message.Contains($"{keyHeads} heads of keys"));
    }

    [Test]
    public void Two_equal_keys_share_a_query_half_and_half([Levels] KernelLevel level)
    {
        var half = new Case { Heads = 1, HeadDim = 2, Queries = 1, Keys = 2, Q = [1, 1], K = [3, 4, 3, 4], V = [0, 10, 2, 20] };
        Assert.That(half.Run(Samples.At(level), out _), Is.EqualTo(new float[] { 1, 15 }));
    }

    [Test]
    public unsafe void Pages_give_the_bits_of_a_whole_cache([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16)] WeightType type,
        [Values(1, 8, 20)] int queries, [Values(0, 2)] int keyHeads, [Values(16, 64)] int pageTokens, [Values] bool masked)
    {
        const int Heads = 4, HeadDim = 64, Keys = 205;
        Case whole = new Case { Heads = Heads, KeyHeads = keyHeads, HeadDim = HeadDim, Queries = queries, Keys = Keys, Causal = true, Type = type }.Fill();
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
        Case all = new Case { Heads = Heads, KeyHeads = keyHeads, HeadDim = HeadDim, Queries = Keys, Keys = Keys, Causal = true, Type = type }.Fill();
        float[] together = all.Run(Samples.At(level), out _);
        int keyWidth = all.K.Length / Keys, start = 0;
        foreach (int queries in new[] { 17, 48, 19, 100, 70, 49, 27 })
        {
            int end = start + queries;
            var part = new Case
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
        Case all = new Case { Heads = 3, HeadDim = 20, Queries = Queries, Keys = Keys, Causal = true, Type = type }.Fill();
        float[] together = all.Run(Samples.At(level), out _);
        for (int i = 0; i < Queries; i++)
        {
            int seen = Keys - Queries + i + 1;
            var one = new Case
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
    public void Every_size_agrees_with_Reference([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type,
        [Values] bool causal, [Values] bool masked, [Values] bool probabilities)
    {
        foreach (int headDim in (int[])[1, 3, 8, 16, 31, 32, 64, 80])
        {
            foreach ((int queries, int keys) in ((int, int)[])[(1, 1), (1, 7), (2, 33), (4, 200), (5, 5), (6, 40), (13, 13), (17, 150), (97, 97), (100, 260)])
            {
                byte[] mask = [];
                if (masked)
                {
                    mask = new byte[keys];
                    for (int j = 0; j < keys; j++) mask[j] = (byte)(j * 7 % 3 == 0 ? 0 : j + 1);    // also key 0: then causal query 0 sees none
                }
                new Case
                {
                    Heads = 3,
                    HeadDim = headDim,
                    Queries = queries,
                    Keys = keys,
                    Causal = causal,
                    WantProbabilities = probabilities,
                    KeyMask = mask,
                    HeadMajorCache = headDim % 2 == 0,
                    Type = type,
                }.Fill().AssertAgrees(level);
            }
        }
    }

    [Test]
    public void A_head_mask_multiplies_the_probabilities([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type,
        [Values(1, 30)] int queries, [Values] bool probabilities) =>
        new Case { Heads = 3, HeadDim = 16, Queries = queries, Keys = 30, HeadMask = [0, 1, 0.25f], WantProbabilities = probabilities, Type = type }
            .Fill().AssertAgrees(level);

    [Test]
    public void A_bias_by_distance_is_added_to_scores([Levels] KernelLevel level)
    {
        // Equal keys. ln 3 for the key after the query, 0 for itself, −ln 4 for the one before it: 1 : 3 from the first query, 1/4 : 1 from the second.
        var biased = new Case { Heads = 1, HeadDim = 1, Queries = 2, Keys = 2, Q = [1, 1], K = [5, 5], V = [0, 20] };
        biased.Bias = [-MathF.Log(4), 0, MathF.Log(3)];
        Assert.That(biased.Run(Samples.At(level), out _), Is.EqualTo(new[] { 15f, 16f }).Within(1e-5));
        // The same two tokens two places apart.
        biased.Bias = [-MathF.Log(4), 9, 0, 9, MathF.Log(3)];
        biased.Places = [4, 6];
        Assert.That(biased.Run(Samples.At(level), out _), Is.EqualTo(new[] { 15f, 16f }).Within(1e-5));
    }

    [Test]
    public void A_bias_by_distance_agrees_with_Reference([Levels] KernelLevel level, [Values] bool masked, [Values] bool gaps, [Values] bool probabilities,
        [Values] bool causal)
    {
        foreach ((int queries, int keys) in ((int, int)[])[(1, 1), (2, 33), (5, 5), (17, 150), (97, 97), (260, 260)])
        {
            int reach = (2 * keys) + 3;
            var biased = new Case
            {
                Heads = 3,
                HeadDim = 20,
                Queries = queries,
                Keys = keys,
                Causal = causal,
                WantProbabilities = probabilities,
                KeyMask = masked ? [.. Enumerable.Range(0, keys).Select(j => (byte)(j % 3 == 1 ? 0 : 1))] : [],
                Bias = Samples.Uniform(3 * ((2 * reach) - 1), 4, 2),
                Places = gaps ? [.. Enumerable.Range(0, keys).Select(j => 2 + j + (j / 2))] : [],
            };
            biased.Fill().AssertAgrees(level);
        }
    }

    [Test]
    public void A_bias_that_does_not_reach_all_tokens_is_refused()
    {
        var biased = new Case { Heads = 2, HeadDim = 4, Queries = 3, Keys = 3, Bias = new float[2 * 3] }.Fill();
        Assert.That(() => biased.Run(Samples.Reference, out _), Throws.ArgumentException.With.Message.Contains("is 2").And.Message.Contains("3 places"));
        biased.Bias = new float[2 * 5];
        Assert.That(() => biased.Run(Samples.Reference, out _), Throws.Nothing);
        biased.Places = [7, 8, 10];
        Assert.That(() => biased.Run(Samples.Reference, out _), Throws.ArgumentException.With.Message.Contains("4 places"));
        biased.Places = [7, 8];
        Assert.That(() => biased.Run(Samples.Reference, out _), Throws.ArgumentException.With.Message.Contains("is 2").And.Message.Contains("needs 3"));
        (biased.Places, biased.Bias) = ([], new float[11]);
        Assert.That(() => biased.Run(Samples.Reference, out _), Throws.ArgumentException.With.Message.Contains("is 11"));
    }

    [Test]
    public void A_query_that_sees_no_key_attends_to_all_equally([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type, [Values(1, 9, 130)] int queries, [Values] bool causal,
        [Values] bool probabilities)
    {
        var hidden = new Case
        {
            Heads = 2,
            HeadDim = 5,
            Queries = queries,
            Keys = queries,
            Causal = causal,
            KeyMask = new byte[queries],
            WantProbabilities = probabilities,
            Type = type,
        }.Fill();
        hidden.V = Samples.Rounded(hidden.V, type);
        float[] output = hidden.Run(Samples.At(level), out float[] p);
        double mean = 0;
        for (int key = 0; key < queries; key++) mean += hidden.V[key * 10] / (double)queries;
        Assert.That(output[0], Is.EqualTo(mean).Within(1e-6));
        Assert.That(p, Is.All.EqualTo(1f / queries));
        hidden.AssertAgrees(level);
    }

    [Test]
    public void Left_padding_hides_the_first_keys_of_a_causal_batch_row([Levels] KernelLevel level, [Values] bool probabilities)
    {
        byte[] mask = new byte[150];
        mask.AsSpan(20).Fill(1);                                          // the first 20 queries see nothing
        new Case { Heads = 2, HeadDim = 32, Queries = 150, Keys = 150, Causal = true, KeyMask = mask, WantProbabilities = probabilities }
            .Fill().AssertAgrees(level);
    }

    [Test]
    public void NaN_in_a_later_or_hidden_token_never_reaches_a_query_that_does_not_see_it([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type, [Values(4, 40)] int queries)
    {
        var poisoned = new Case { Heads = 2, HeadDim = 16, Queries = queries, Keys = queries, Causal = true, KeyMask = new byte[queries], Type = type }.Fill();
        poisoned.KeyMask.AsSpan().Fill(1);
        poisoned.KeyMask[1] = 0;
        poisoned.K.AsSpan(1 * 32, 32).Fill(float.NaN);                    // token 1 is hidden
        poisoned.V.AsSpan(1 * 32, 32).Fill(float.NaN);
        poisoned.K.AsSpan((queries - 1) * 32, 32).Fill(float.NaN);        // the last token is seen by the last query only
        poisoned.V.AsSpan((queries - 1) * 32, 32).Fill(float.NaN);
        float[] output = poisoned.Run(Samples.At(level), out _);
        Assert.That(output[..^32], Has.None.NaN);
        Assert.That(output[^32..], Is.All.NaN);
    }

    [Test]
    public void Infinite_scores_behave_as_in_Reference([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type,
        [Values(1, 20)] int queries)
    {
        foreach (float value in (float[])[float.PositiveInfinity, float.NegativeInfinity, 1e30f, -1e30f])
        {
            var odd = new Case { Heads = 1, HeadDim = 4, Queries = queries, Keys = 200, Type = type }.Fill();
            odd.Q.AsSpan().Fill(1);
            for (int key = 0; key < 150; key++) odd.K[key * 4] = value;    // the first block of keys, and part of the second
            odd.AssertAgrees(level);
        }
    }

    [Test]
    public void Subnormal_fp16_numbers_count_in_full([Levels] KernelLevel level, [Values(1, 20)] int queries)
    {
        const float Largest = 1023f / (1 << 24);                           // of the subnormal fp16 numbers
        var small = new Case { Heads = 2, HeadDim = 37, Queries = queries, Keys = 150, Type = WeightType.F16 }.Fill();
        for (int i = 0; i < small.Q.Length; i++) small.Q[i] *= 1 << 14;     // scores of some units, as elsewhere
        for (int i = 0; i < small.K.Length; i++) (small.K[i], small.V[i]) = (small.K[i] * Largest / 2, small.V[i] * Largest);
        small.AssertAgrees(level, within: 5e-6 * Largest);
    }

    [Test]
    public void One_two_and_five_threads_give_the_same_bits([Levels] KernelLevel level, [Values(1, 300)] int queries)
    {
        var large = new Case { Heads = 4, HeadDim = 64, Queries = queries, Keys = 1000, Causal = true }.Fill();
        float[] one = large.Run(Samples.At(level, threads: 1), out _);
        Assert.That(large.Run(Samples.At(level, threads: 2), out _), Is.EqualTo(one));
        Assert.That(large.Run(Samples.At(level, threads: 5), out _), Is.EqualTo(one));
    }

    /// <summary>Rows with numbers of queries of their own, in one output.</summary>
    private readonly struct Rows(Case[] cases, float[] output) : IAttentionRows
    {
        public AttentionArguments Row(int row)
        {
            Case one = cases[row];
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
            Case[] cases = [.. queries.Select((count, row) => new Case { Heads = 3, HeadDim = 20, Queries = count, Keys = count + (50 * row) }.Fill())];
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
        Case[] cases = [new Case { Heads = 1, HeadDim = 2, Queries = 1, Keys = 1 }.Fill(),
            new Case { Heads = 1, HeadDim = 2, Queries = 1, Keys = 9, Q = [1], K = new float[18], V = new float[18] }];
        Assert.That(() => Attention.Run(2, new Rows(cases, new float[4]), Samples.At(level)),
            Throws.ArgumentException.With.Message.Contains("Q.Length is 1").And.Message.Contains("at least 2"));
    }

    [Test]
    public void Without_keys_the_output_is_0([Levels] KernelLevel level)
    {
        var none = new Case { Heads = 1, HeadDim = 3, Queries = 2, Keys = 0, Q = new float[6] };
        Assert.That(none.Run(Samples.At(level), out _), Is.All.Zero);
    }

    [Test]
    public void Wrong_sizes_are_refused_with_both_numbers([Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        Case Good() => new Case { Heads = 2, HeadDim = 4, Queries = 3, Keys = 5, Type = type }.Fill();
        static Action Call(Case c) => () => c.Run(Samples.Reference, out _);

        Case bad = Good();
        bad.Q = new float[23];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("Q.Length is 23").And.Message.Contains("at least 24"));
        bad = Good();
        bad.K = new float[39];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("K.Length is 39").And.Message.Contains("at least 40"));
        bad = Good();
        bad.V = new float[39];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("V.Length is 39").And.Message.Contains("at least 40"));
        bad = Good();
        bad.KeyMask = new byte[4];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("is 4").And.Message.Contains("needs 5"));
        bad = Good();
        bad.HeadMask = new float[3];
        Assert.That(Call(bad), Throws.ArgumentException.With.Message.Contains("is 3").And.Message.Contains("needs 2"));
        Assert.That(Call(new Case { Heads = 1, HeadDim = 1, Queries = 3, Keys = 2, Causal = true }.Fill()),
            Throws.ArgumentException.With.Message.Contains("Keys is 2").And.Message.Contains("3 queries"));
    }

    [Test]
    public void Keys_and_values_of_two_types_are_refused()
    {
        static void Mixed() => Attention.Run(
            new AttentionArguments
            {
                Heads = 1,
                HeadDim = 1,
                Queries = 1,
                Keys = 1,
                Q = new float[1],
                Output = new float[1],
                K = new float[1],
                V = new StoredSpan(new byte[2], WeightType.F16),
            }, Samples.Reference);
        Assert.That(Mixed, Throws.ArgumentException.With.Message.Contains("K.Type is F32 and V.Type is F16"));
    }

    [Test]
    public void Stored_values_are_whole_elements_and_are_read_within_their_length()
    {
        Assert.That(() => new StoredSpan(new byte[5], WeightType.BF16).Length,
            Throws.ArgumentException.With.Message.Contains("5").And.Message.Contains("2 bytes"));
        Assert.That(() => new StoredSpan(new byte[4], (WeightType)9).Length, Throws.ArgumentException.With.Message.Contains("no weight type"));
        Assert.That(new StoredSpan(Samples.Stored([1, -2.5f], WeightType.F16), WeightType.F16)[1], Is.EqualTo(-2.5f));
        Assert.That(() => new StoredSpan(new byte[4], WeightType.F16)[2], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new StoredSpan(new byte[4], WeightType.F16)[-1], Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
