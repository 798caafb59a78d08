namespace ManagedTransformers.Kernels.Tests;

[Parallelizable(ParallelScope.Children)]
public sealed class AttentionTests
{
    [TestCase(4, 3)]
    [TestCase(2, 4)]
    public void Heads_of_keys_that_do_not_divide_the_heads_are_refused_with_both_numbers(int heads, int keyHeads)
    {
        AttentionCase bad = new AttentionCase { Heads = heads, KeyHeads = keyHeads, HeadDim = 2, Queries = 1, Keys = 1 }.Fill();
        Assert.That(() => bad.Run(Samples.Reference, out _),
            Throws.ArgumentException.With.Message.Contains($"Heads is {heads}").And.Message.Contains($"{keyHeads} heads of keys"));
    }

    [Test]
    public void Two_equal_keys_share_a_query_half_and_half([Levels] KernelLevel level)
    {
        var half = new AttentionCase { Heads = 1, HeadDim = 2, Queries = 1, Keys = 2, Q = [1, 1], K = [3, 4, 3, 4], V = [0, 10, 2, 20] };
        Assert.That(half.Run(Samples.At(level), out _), Is.EqualTo(new float[] { 1, 15 }));
    }

    [Test]
    public void Every_size_agrees_with_Reference([Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type,
        [Values] bool causal, [Values] bool masked, [Values] bool probabilities)
    {
        foreach (int headDim in (int[])[1, 3, 8, 16, 31, 32, 64, 80])
        {
            foreach ((int queries, int keys) in ((int, int)[])[(1, 1), (1, 7), (2, 33), (4, 200), (5, 5), (6, 40), (13, 13), (17, 150), (97, 97), (100, 260)])
            {
                if (queries > 17 && headDim is not (3 or 32 or 80)) continue;     // slow, and no code depends on both the width and the number of queries
                byte[] mask = [];
                if (masked)
                {
                    mask = new byte[keys];
                    for (int j = 0; j < keys; j++) mask[j] = (byte)(j * 7 % 3 == 0 ? 0 : j + 1);    // also key 0: then causal query 0 sees none
                }
                new AttentionCase
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
                }.Fill().AssertAgrees(KernelDispatch.Supported);
            }
        }
    }

    [Test]
    public void A_head_mask_multiplies_the_probabilities([Levels] KernelLevel level, [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type,
        [Values(1, 30)] int queries, [Values] bool probabilities) =>
        new AttentionCase { Heads = 3, HeadDim = 16, Queries = queries, Keys = 30, HeadMask = [0, 1, 0.25f], WantProbabilities = probabilities, Type = type }
            .Fill().AssertAgrees(level);

    [Test]
    public void A_bias_by_distance_is_added_to_scores([Levels] KernelLevel level)
    {
        // Equal keys. ln 3 for the key after the query, 0 for itself, −ln 4 for the one before it: 1 : 3 from the first query, 1/4 : 1 from the second.
        var biased = new AttentionCase { Heads = 1, HeadDim = 1, Queries = 2, Keys = 2, Q = [1, 1], K = [5, 5], V = [0, 20] };
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
            var biased = new AttentionCase
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
        var biased = new AttentionCase { Heads = 2, HeadDim = 4, Queries = 3, Keys = 3, Bias = new float[2 * 3] }.Fill();
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
        var hidden = new AttentionCase
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
        new AttentionCase { Heads = 2, HeadDim = 32, Queries = 150, Keys = 150, Causal = true, KeyMask = mask, WantProbabilities = probabilities }
            .Fill().AssertAgrees(level);
    }

    [Test]
    public void NaN_in_a_later_or_hidden_token_never_reaches_a_query_that_does_not_see_it([Levels] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type, [Values(4, 40)] int queries)
    {
        var poisoned = new AttentionCase
        {
            Heads = 2, HeadDim = 16, Queries = queries, Keys = queries, Causal = true, KeyMask = new byte[queries], Type = type,
        }.Fill();
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
            var odd = new AttentionCase { Heads = 1, HeadDim = 4, Queries = queries, Keys = 200, Type = type }.Fill();
            odd.Q.AsSpan().Fill(1);
            for (int key = 0; key < 150; key++) odd.K[key * 4] = value;    // the first block of keys, and part of the second
            odd.AssertAgrees(level);
        }
    }

    [Test]
    public void Subnormal_fp16_numbers_count_in_full([Levels] KernelLevel level, [Values(1, 20)] int queries)
    {
        const float Largest = 1023f / (1 << 24);                           // of the subnormal fp16 numbers
        var small = new AttentionCase { Heads = 2, HeadDim = 37, Queries = queries, Keys = 150, Type = WeightType.F16 }.Fill();
        for (int i = 0; i < small.Q.Length; i++) small.Q[i] *= 1 << 14;     // scores of some units, as elsewhere
        for (int i = 0; i < small.K.Length; i++) (small.K[i], small.V[i]) = (small.K[i] * Largest / 2, small.V[i] * Largest);
        small.AssertAgrees(level, within: 5e-6 * Largest);
    }

    [Test]
    public void Without_keys_the_output_is_0([Levels] KernelLevel level)
    {
        var none = new AttentionCase { Heads = 1, HeadDim = 3, Queries = 2, Keys = 0, Q = new float[6] };
        Assert.That(none.Run(Samples.At(level), out _), Is.All.Zero);
    }

    [Test]
    public void Wrong_sizes_are_refused_with_both_numbers([Values(WeightType.F32, WeightType.F16, WeightType.BF16)] WeightType type)
    {
        AttentionCase Good() => new AttentionCase { Heads = 2, HeadDim = 4, Queries = 3, Keys = 5, Type = type }.Fill();
        static Action Call(AttentionCase c) => () => c.Run(Samples.Reference, out _);

        AttentionCase bad = Good();
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
        Assert.That(Call(new AttentionCase { Heads = 1, HeadDim = 1, Queries = 3, Keys = 2, Causal = true }.Fill()),
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
