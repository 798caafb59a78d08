namespace ManagedTransformers.Models.Tests;

public sealed class MPNetTests
{
    private static readonly MPNetConfig Tiny = new()
    {
        VocabSize = 40, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, IntermediateSize = 32, MaxPositionEmbeddings = 202, InitializerRange = 0.3,
    };

    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var config = (MPNetConfig)ConfigJson.Parse("""{"model_type": "mpnet"}"""u8.ToArray());
        Assert.That((config.VocabSize, config.HiddenSize, config.MaxPositionEmbeddings, config.LayerNormEps, config.RelativeAttentionNumBuckets),
            Is.EqualTo((30527, 768, 512, 1e-12, 32)));
        Assert.That((config.PadTokenId, config.BosTokenId, config.TokenTypes), Is.EqualTo(((int?)1, (int?)0, ((string, int)?)null)));
    }

    // The key's place less the query's.
    [TestCase(0, 0)]
    [TestCase(-1, 1)]
    [TestCase(1, 17)]
    [TestCase(-7, 7)]
    [TestCase(-8, 8)]
    [TestCase(8, 24)]
    [TestCase(-15, 9)]
    [TestCase(-16, 10)]
    [TestCase(-32, 12)]
    [TestCase(64, 30)]
    [TestCase(-90, 14)]
    [TestCase(-91, 15)]
    [TestCase(500, 31)]
    public void Near_distances_have_a_bucket_each_and_far_ones_share(int distance, int bucket) => Assert.That(MPNetModel.Bucket(distance), Is.EqualTo(bucket));

    [Test]
    public void Fewer_than_32_buckets_are_refused() => Assert.That(
        () => ConfigJson.Parse("""{"model_type": "mpnet", "relative_attention_num_buckets": 16}"""u8.ToArray()),
        Throws.TypeOf<ConfigException>().With.Message.Contains("relative_attention_num_buckets is 16"));

    [Test]
    public void A_bias_table_of_another_shape_is_refused()
    {
        using var directory = new TemporaryDirectory();
        using (var model = PretrainedModels.FromConfig<MPNetModel>(Tiny with { RelativeAttentionNumBuckets = 33 }))
            model.Save(directory.Path);
        string json = Path.Combine(directory.Path, "config.json");
        File.WriteAllText(json, File.ReadAllText(json).Replace("\"relative_attention_num_buckets\": 33", "\"relative_attention_num_buckets\": 32",
            StringComparison.Ordinal));
        Assert.That(() => PretrainedModels.Load(directory.Path), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("encoder.relative_attention_bias.weight").And.Message.Contains("[33, 2]").And.Message.Contains("[32, 2]"));
    }

    [Test]
    public void Hidden_tokens_between_others_keep_their_distance([Values(12, 60)] int tokens)
    {
        int[] ids = [.. Enumerable.Range(0, tokens).Select(i => 2 + (i * 7 % 38))];
        int[] mask = [.. Enumerable.Range(0, tokens).Select(i => i is 2 or 5 or 6 ? 0 : 1)];
        float[] packed = Run(ids, mask, computePadding: false), whole = Run(ids, mask, computePadding: true);
        for (int token = 0; token < tokens; token++)
        {
            if (mask[token] == 1)
                Assert.That(packed[(token * 16)..((token + 1) * 16)], Is.EqualTo(whole[(token * 16)..((token + 1) * 16)]).Within(1e-5), $"token {token}");
        }
    }

    [Test]
    public void The_pooler_is_left_out_where_the_file_has_none()
    {
        using var directory = new TemporaryDirectory();
        using (var model = PretrainedModels.FromConfig<MPNetForMaskedLM>(Tiny))
            model.Save(directory.Path);
        using var body = PretrainedModels.Load<MPNetModel>(directory.Path);
        using Session session = body.CreateSession();
        Assert.That(body.Forward(ModelInputs.Of(0, 5, 2), session).PoolerOutput, Is.Null);
    }

    private static float[] Run(int[] ids, int[] mask, bool computePadding)
    {
        using var model = PretrainedModels.FromConfig<MPNetModel>(Tiny, seed: 2);
        using Session session = model.CreateSession();
        var inputs = new ModelInputs(1, ids.Length) { InputIds = ids, AttentionMask = mask };
        return model.Forward(inputs, session, new ForwardOptions { ComputePadding = computePadding }).LastHiddenState.ToArray();
    }
}
