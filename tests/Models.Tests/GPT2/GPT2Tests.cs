using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models.Tests;

public sealed class GPT2Tests
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30];
    private static readonly GPT2Config Tiny = new() { VocabSize = 40, NEmbd = 64, NLayer = 2, NHead = 4, NPositions = 24, InitializerRange = 0.2 };

    private TemporaryDirectory _source = null!;
    private TemporaryDirectory _destination = null!;

    [SetUp]
    public void CreateDirectories() => (_source, _destination) = (new TemporaryDirectory(), new TemporaryDirectory());

    [TearDown]
    public void DeleteDirectories()
    {
        _source.Dispose();
        _destination.Dispose();
    }

    [Test]
    public void Defaults_are_those_of_transformers()
    {
        var config = (GPT2Config)ConfigJson.Parse("""{"model_type": "gpt2"}"""u8.ToArray());
        Assert.That((config.VocabSize, config.NPositions, config.NEmbd, config.NLayer, config.NHead, config.InnerWidth, config.LayerNormEpsilon),
            Is.EqualTo((50257, 1024, 768, 12, 12, 3072, 1e-5)));
        Assert.That((config.ActivationFunction, config.TieWordEmbeddings, config.BosTokenId), Is.EqualTo(("gelu_new", true, (int?)50256)));
        Assert.That(config.EosTokenId, Is.EqualTo(new[] { 50256 }));
    }

    [Test]
    public void Scores_are_divided_by_the_root_of_the_head_and_the_number_of_the_layer_where_config_json_says_so()
    {
        // Heads of 16.
        Assert.That(Tiny.ScoreScale(3), Is.EqualTo(0.25f));
        Assert.That((Tiny with { ScaleAttnByInverseLayerIdx = true }).ScoreScale(3), Is.EqualTo(0.0625f));
        Assert.That((Tiny with { ScaleAttnWeights = false }).ScoreScale(3), Is.EqualTo(1f));
    }

    [Test]
    public void Cross_attention_is_refused() => Assert.That(() => ConfigJson.Parse("""{"model_type": "gpt2", "add_cross_attention": true}"""u8.ToArray()),
        Throws.TypeOf<ConfigException>().With.Message.Contains("add_cross_attention is true; false"));

    [Test]
    public void Weights_are_saved_as_in_and_out_and_a_Linear_of_out_and_in_is_refused()
    {
        using (var model = PretrainedModels.FromConfig<GPT2LMHeadModel>(Tiny))
            model.Save(_source.Path);
        string file = Path.Combine(_source.Path, "model.safetensors");
        TensorEntry[] tensors;
        using (SafetensorsFile saved = SafetensorsFile.Open(file))
        {
            Assert.That(saved.Weights["transformer.h.1.attn.c_attn.weight"].Shape, Is.EqualTo(new[] { 64, 192 }));
            Assert.That(saved.Weights["transformer.h.1.mlp.c_proj.weight"].Shape, Is.EqualTo(new[] { 256, 64 }));
            Assert.That(saved.Weights, Does.Not.ContainKey("lm_head.weight"));
            tensors = [.. saved.Weights.Values.Select(weight => TensorEntry.Create(weight.Name,
                [.. weight.Name.EndsWith("c_attn.weight", StringComparison.Ordinal) ? weight.Shape.Reverse() : weight.Shape], weight.ToSingle()))];
        }
        SafetensorsWriter.Write(file, tensors);
        Assert.That(() => PretrainedModels.Load(_source.Path), Throws.TypeOf<CheckpointException>()
            .With.Message.Contains("is [192, 64]").And.Message.Contains("needs [64, 192]").And.Message.Contains("export Conv1D weights as [in, out]"));
    }

    [Test]
    public void Stored_blocks_give_the_bits_of_quantizing_while_loading([Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format,
        [Values(ElementType.F32, ElementType.F16)] ElementType type)
    {
        string plain = Path.Combine(_source.Path, "plain");
        using (var model = PretrainedModels.FromConfig<GPT2LMHeadModel>(Tiny))
            model.Save(_source.Path);
        CheckpointConverter.Convert(_source.Path, plain, new ConversionOptions { Type = type });
        ConversionResult result = CheckpointConverter.Convert(plain, _destination.Path, new ConversionOptions { WeightFormat = format });
        Assert.That(result.Quantized, Is.EqualTo(8));
        using var loaded = PretrainedModels.Load<GPT2LMHeadModel>(plain, new LoadOptions { WeightFormat = format });
        using var stored = PretrainedModels.Load<GPT2LMHeadModel>(_destination.Path);
        using var exact = PretrainedModels.Load<GPT2LMHeadModel>(plain);
        Assert.That(stored.Weights.Single(weight => weight.Name == "transformer.h.0.mlp.c_fc.weight").Shape[0], Is.EqualTo(256));
        Assert.That(Logits(stored), Is.EqualTo(Logits(loaded)));
        Assert.That(stored.Fingerprint, Is.EqualTo(loaded.Fingerprint));
        float[] expected = Logits(exact);
        Assert.That(Logits(stored), Is.Not.EqualTo(expected));
        Assert.That(Logits(stored), Is.EqualTo(expected).Within((format == WeightFormat.Int8 ? 0.05 : 0.5) * expected.Max(Math.Abs)));
    }

    [Test]
    public void Tokens_one_by_one_give_the_scores_of_all_at_once([Values] bool leftPadded)
    {
        using var model = PretrainedModels.FromConfig<GPT2LMHeadModel>(Tiny, seed: 3);
        float[] all = Logits(model);
        using Session session = model.CreateSession();
        ModelInputs first = !leftPadded ? ModelInputs.Of(Prompt.AsSpan(..2)) : new ModelInputs(1, 4)
        {
            InputIds = [0, 0, .. Prompt[..2]], AttentionMask = [0, 0, 1, 1], PositionIds = [1, 1, 0, 1],
        };
        List<float> scores = [.. model.Forward(first, session).Logits.ToArray().AsSpan(^80..)];
        for (int i = 2; i < Prompt.Length; i++)
            scores.AddRange(model.Step([Prompt[i]], [0], session).ToArray());
        Assert.That(scores, Is.EqualTo(all).Within(1e-5 * all.Max(Math.Abs)));
    }

    [Test]
    public void More_tokens_than_positions_are_refused()
    {
        using var model = PretrainedModels.FromConfig<GPT2LMHeadModel>(Tiny);
        using Session session = model.CreateSession();
        Assert.That(() => model.Forward(new int[25], session), Throws.TypeOf<ModelInputException>().With.Message.Contains("n_positions"));
    }

    private static float[] Logits(GPT2LMHeadModel model)
    {
        using Session session = model.CreateSession();
        return model.Forward(Prompt, session).Logits.ToArray();
    }
}
