using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class QuantizedModelTests(string family)
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14, 1, 7];

    // Weights alone, as few tokens at a time see them.
    [TestCase(WeightFormat.Int8, false, 0.03)]
    [TestCase(WeightFormat.Int8, true, 0.03)]
    [TestCase(WeightFormat.Int4, false, 0.4)]
    public void Logits_of_quantized_weights_are_near_those_of_float32(WeightFormat format, bool head, double within)
    {
        int[] prompt = Prompt[..MatMul.StreamedRows];
        double error = Error(Logits(new LoadOptions { WeightFormat = format, QuantizeHead = head }, prompt), Logits(new LoadOptions(), prompt));
        Assert.That(error, Is.GreaterThan(0).And.LessThan(within * Gain));
    }

    // Products of bytes round X as well, and Int8 to 7 bits: 1.4 % in each product (QuantizationTests), over three layers of random weights.
    [TestCase(WeightFormat.Int8, 0.05)]
    [TestCase(WeightFormat.Int4, 0.4)]
    public void Logits_of_many_tokens_are_near_those_of_float32(WeightFormat format, double within)
    {
        double error = Error(Logits(new LoadOptions { WeightFormat = format, QuantizeHead = true }, Prompt), Logits(new LoadOptions(), Prompt));
        Assert.That(error, Is.GreaterThan(0).And.LessThan(within * Gain));
    }

    [TestCase(12)]
    [TestCase(MatMul.StreamedRows)]
    public void Rounding_X_to_bytes_adds_little_to_what_Int4_weights_cost(int tokens)
    {
        int[] prompt = Prompt[..tokens];
        float[] stored = Logits(new LoadOptions(), prompt), floats = Logits(At(KernelLevel.Reference, WeightFormat.Int4), prompt);
        foreach (KernelLevel level in KernelDispatch.Supported.Where(MultipliesBytes))
            Assert.That(Error(Logits(At(level, WeightFormat.Int4), prompt), floats), Is.GreaterThan(0).And.LessThan(0.1 * Error(floats, stored)), $"{level}");
    }

    [Test]
    public void A_saved_model_keeps_the_weights_that_it_was_made_of()
    {
        string directory = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"quantized-{family}");
        var options = new LoadOptions { WeightFormat = WeightFormat.Int4 };
        using (DecoderForCausalLM model = Model(options))
            model.Save(directory);
        using var back = (DecoderForCausalLM)PretrainedModels.Load(directory);
        using Session session = back.CreateSession();
        Assert.That(back.Forward(Prompt, session).Logits.ToArray(), Is.EqualTo(Logits(new LoadOptions())));
    }

    [Test]
    public void Each_format_has_its_own_fingerprint()
    {
        string[] prints = [.. Enum.GetValues<WeightFormat>().Select(format =>
        {
            using DecoderForCausalLM model = Model(new LoadOptions { WeightFormat = format });
            return model.Fingerprint;
        })];
        Assert.That(prints, Is.Unique);
    }

    private static LoadOptions At(KernelLevel level, WeightFormat format) =>
        new() { Kernels = new KernelOptions { Level = level }, WeightFormat = format, QuantizeHead = true };

    private static bool MultipliesBytes(KernelLevel level) => level is KernelLevel.Avx2 or KernelLevel.Avx512;

    internal static double Error(float[] found, float[] expected) =>
        Math.Sqrt(expected.Zip(found, (a, b) => (double)(a - b) * (a - b)).Sum() / expected.Sum(a => (double)a * a));

    // A gate times what it gates has the roundings of both: measured, such a model with random weights answers to one 1.5 times as much as the others.
    private double Gain => family is "llama" or "qwen2" ? 1.6 : 1;

    private DecoderForCausalLM Model(LoadOptions options) =>
        DecoderFamilies.Model(family, width: 64, positions: 24, range: family is "llama" or "qwen2" ? 0.1 : 0.2, options: options);

    private float[] Logits(LoadOptions options, int[]? prompt = null)
    {
        using DecoderForCausalLM model = Model(options);
        using Session session = model.CreateSession();
        return model.Forward(prompt ?? Prompt, session).Logits.ToArray();
    }
}

/// <summary>Which matrices are quantized, and what is said where none is.</summary>
public sealed class QuantizedMatricesTests
{
    private static readonly int[] Prompt = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14, 1, 7];
    private static readonly CodeGenConfig Config =
        new() { VocabSize = 40, NEmbd = 64, NLayer = 3, NHead = 4, RotaryDim = 8, NPositions = 24, InitializerRange = 0.2 };

    [TestCase(WeightFormat.Int8, 0.02)]
    [TestCase(WeightFormat.Int4, 0.2)]
    public void A_tied_head_is_quantized_beside_the_embeddings_which_stay(WeightFormat format, double within)
    {
        var config = new Qwen2Config
        {
            VocabSize = 40, HiddenSize = 64, IntermediateSize = 128, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, InitializerRange = 0.2,
            TieWordEmbeddings = true,
        };
        (float[] hidden, float[] logits) = HiddenAndLogits(head: false);
        (float[] sameHidden, float[] quantized) = HiddenAndLogits(head: true);
        Assert.That(sameHidden, Is.EqualTo(hidden));
        Assert.That(QuantizedModelTests.Error(quantized, logits), Is.GreaterThan(0).And.LessThan(within));

        (float[], float[]) HiddenAndLogits(bool head)
        {
            var options = new LoadOptions { WeightFormat = format, QuantizeHead = head };
            using var model = PretrainedModels.FromConfig<Qwen2ForCausalLM>(config, seed: 7, options);
            using Session session = model.CreateSession();
            CausalLMOutput output = model.Forward(Prompt.AsSpan(0, MatMul.StreamedRows), session, new ForwardOptions { OutputHiddenStates = true });
            return (output.HiddenStates![^1].ToArray(), output.Logits.ToArray());
        }
    }

    [TestCase(WeightFormat.Int8)]
    [TestCase(WeightFormat.Int4)]
    public void A_format_that_no_matrix_can_have_is_warned_of_by_name(WeightFormat format)
    {
        using var made = PretrainedModels.FromConfig<CodeGenForCausalLM>(Config with { NEmbd = 40, NHead = 4, RotaryDim = 4 });
        string directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            made.Save(directory);
            using var loaded = PretrainedModels.Load<CodeGenForCausalLM>(directory, new LoadOptions { WeightFormat = format });
            Assert.That(loaded.Warnings.Single(), Is.EqualTo($"No matrix of CodeGenForCausalLM could be quantized: {format} (LoadOptions.WeightFormat, " +
                "--weights) needs a multiple of 64 columns, and transformer.h.0.attn.qkv_proj.weight is [120, 40]. All 13 linear layers are held as they " +
                "are stored."));
            using var stored = PretrainedModels.Load<CodeGenForCausalLM>(directory);
            Assert.That(stored.Warnings, Is.Empty);
            using var random = PretrainedModels.FromConfig<CodeGenForCausalLM>((CodeGenConfig)made.Config, options: new LoadOptions { WeightFormat = format });
            Assert.That(random.Warnings, Is.EqualTo(loaded.Warnings));
            Assert.That(() => PretrainedModels.Load(directory, new LoadOptions { WeightFormat = format, Strict = true }),
                Throws.TypeOf<CheckpointException>().With.Message.Contains("No matrix of CodeGenForCausalLM could be quantized"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void A_model_of_which_a_matrix_is_quantized_has_no_warning()
    {
        using var model = PretrainedModels.FromConfig<CodeGenForCausalLM>(Config, options: new LoadOptions { WeightFormat = WeightFormat.Int8 });
        Assert.That(model.Warnings, Is.Empty);
    }

    [Test]
    public void A_format_that_does_not_exist_is_refused_when_it_is_set() => Assert.That(() => new LoadOptions { WeightFormat = (WeightFormat)9 },
        Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("WeightFormat is 9; one of AsStored, Int8, Int4 is needed."));

    [Test]
    public void Matrices_that_are_no_whole_pairs_of_blocks_stay_as_they_are()
    {
        CodeGenConfig narrow = Config with { NEmbd = 32 };
        Assert.That(Logits(new LoadOptions { WeightFormat = WeightFormat.Int4 }, narrow), Is.Not.EqualTo(Logits(new LoadOptions(), narrow)),
            "fc_out has 128 columns");
        Assert.That(Logits(new LoadOptions { WeightFormat = WeightFormat.Int4 }, narrow with { NInner = 32 }),
            Is.EqualTo(Logits(new LoadOptions(), narrow with { NInner = 32 })));
    }

    [TestCase(WeightFormat.Int8, 12)]
    [TestCase(WeightFormat.Int4, 12)]
    [TestCase(WeightFormat.Int4, MatMul.StreamedRows)]
    [TestCase(WeightFormat.Int4, 1)]
    public void Levels_that_multiply_floats_agree_and_so_do_those_that_multiply_bytes(WeightFormat format, int tokens)
    {
        foreach (IGrouping<bool, KernelLevel> levels in KernelDispatch.Supported.GroupBy(level => level is KernelLevel.Avx2 or KernelLevel.Avx512))
        {
            float[] first = Logits(At(levels.First(), format), Config, Prompt[..tokens]);
            foreach (KernelLevel level in levels)
                Assert.That(Logits(At(level, format), Config, Prompt[..tokens]), Is.EqualTo(first).Within(1e-4 * first.Max(Math.Abs)), $"{level}");
        }
    }

    [Test]
    public void All_levels_give_the_same_logits_of_few_tokens_for_Int8()
    {
        int[] few = Prompt[..MatMul.StreamedRows];
        float[] reference = Logits(At(KernelLevel.Reference, WeightFormat.Int8), Config, few);
        foreach (KernelLevel level in KernelDispatch.Supported)
            Assert.That(Logits(At(level, WeightFormat.Int8), Config, few), Is.EqualTo(reference).Within(1e-4 * reference.Max(Math.Abs)), $"{level}");
    }

    private static LoadOptions At(KernelLevel level, WeightFormat format) =>
        new() { Kernels = new KernelOptions { Level = level }, WeightFormat = format, QuantizeHead = true };

    private static float[] Logits(LoadOptions options, CodeGenConfig config, int[]? prompt = null)
    {
        using CodeGenForCausalLM model = PretrainedModels.FromConfig<CodeGenForCausalLM>(config, seed: 7, options);
        using Session session = model.CreateSession();
        return model.Forward(prompt ?? Prompt, session).Logits.ToArray();
    }
}
