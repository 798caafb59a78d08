using ManagedTransformers.Kernels;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>A traced pass computes what an untraced one does, to the bit, at every level.</summary>
[Parallelizable(ParallelScope.Children)]
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class TraceBitsTests(string family)
{
    private static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported;

    [Test]
    public void Decoder_passes_of_prompts_and_steps_after_them([ValueSource(nameof(Levels))] KernelLevel level,
        [Values(WeightType.F32, WeightType.F16)] WeightType cached)
    {
        using DecoderForCausalLM model = TracedModels.Decoder(level, family: family);
        foreach (int[] lengths in TraceBits.Batches)
        {
            if (lengths[0] == 200 && level == KernelLevel.Reference)
                continue;                                               // seconds, and the same plain loops as for 20
            var options = new SessionOptions { BatchSize = lengths.Length, MaxLength = 210, KeyValueType = cached };
            using Session plain = model.CreateSession(options), traced = model.CreateSession(options);
            using ActivationTrace trace = traced.Trace(TracedModels.Everything);
            Assert.That(Run(model, traced, lengths), Is.EqualTo(Run(model, plain, lengths)), $"rows of {string.Join(", ", lengths)} tokens");
            Assert.That(trace.Passes, Has.Count.EqualTo(4));
            Assert.That(trace.Passes.Select(pass => pass.Tensors.Count), Is.All.EqualTo(model.ActivationNames.Count));
        }
    }

    private static float[] Run(DecoderForCausalLM model, Session session, int[] lengths)
    {
        int[] sequences = [.. Enumerable.Range(0, lengths.Length)], ones = [.. lengths.Select(_ => 6)], more = [.. lengths.Select((_, row) => row + 2)];
        List<float> logits = [.. model.Forward(TracedModels.Inputs(lengths), session).Logits.ToArray()];
        logits.AddRange(model.Step(ones, sequences, session).ToArray());
        logits.AddRange(model.Append([.. more.SelectMany(length => Enumerable.Range(3, length))], more, sequences, session, ScoresOf.AllTokens).ToArray());
        logits.AddRange(model.Append(ones, [], sequences, session, ScoresOf.LastTokens).ToArray());
        return [.. logits];
    }

    [Test]
    public void Decoder_passes_with_chosen_logits_padding_attentions_and_head_masks([ValueSource(nameof(Levels))] KernelLevel level)
    {
        using DecoderForCausalLM model = TracedModels.Decoder(level, family: family);
        Assert.Multiple(() =>
        {
            TraceBits.AssertSame(model, new ForwardOptions { LogitsAt = [(1, 3), (0, 8)] });
            TraceBits.AssertSame(model, new ForwardOptions { ComputePadding = true });
            TraceBits.AssertSame(model, new ForwardOptions { OutputAttentions = true, OutputHiddenStates = true });
        });
    }

    [Test]
    public void Quantized_weights([Values(WeightFormat.Int8, WeightFormat.Int4)] WeightFormat format)
    {
        using DecoderForCausalLM model = TracedModels.Decoder(format: format, family: family);
        foreach (int[] lengths in TraceBits.Batches)
        {
            using Session plain = model.CreateSession(new SessionOptions { BatchSize = lengths.Length }),
                traced = model.CreateSession(new SessionOptions { BatchSize = lengths.Length });
            using ActivationTrace trace = traced.Trace(TracedModels.Everything);
            Assert.That(Run(model, traced, lengths), Is.EqualTo(Run(model, plain, lengths)), $"rows of {string.Join(", ", lengths)} tokens");
        }
    }

    [Test]
    public void Asking_for_attentions_does_not_change_the_scores([ValueSource(nameof(Levels))] KernelLevel level)
    {
        using DecoderForCausalLM model = TracedModels.Decoder(level, family: family);
        using Session plain = model.CreateSession(), asked = model.CreateSession();
        ModelInputs inputs = TracedModels.Inputs(20);
        Assert.That(model.Forward(inputs, asked, new ForwardOptions { OutputAttentions = true }).Logits.ToArray(),
            Is.EqualTo(model.Forward(inputs, plain).Logits.ToArray()));
    }
}

/// <summary>The same of encoders.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class EncoderTraceBitsTests
{
    private static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported;

    [Test]
    public void Encoder_passes([ValueSource(nameof(Levels))] KernelLevel level)
    {
        using var masked = TracedModels.Encoder<RobertaForMaskedLM>(level);
        using var pretraining = TracedModels.Encoder<BertForPreTraining>(level);
        using var classifier = TracedModels.Encoder<RobertaForSequenceClassification>(level);
        using var tagger = TracedModels.Encoder<BertForTokenClassification>(level);
        foreach (PretrainedModel model in (PretrainedModel[])[masked, pretraining, classifier, tagger])
        {
            foreach (int[] lengths in TraceBits.Batches)
            {
                if (lengths[0] < 200 || level != KernelLevel.Reference)
                    TraceBits.AssertSame(model, ForwardOptions.Default, lengths);
            }
            TraceBits.AssertSame(model, new ForwardOptions { ComputePadding = true, OutputAttentions = true });
        }
        TraceBits.AssertSame(masked, new ForwardOptions { LogitsAt = [(1, 3), (0, 8)] });
        TraceBits.AssertSame(pretraining, new ForwardOptions { LogitsAt = [(0, 0)] });
    }
}

/// <summary>A pass with a trace and without.</summary>
internal static class TraceBits
{
    /// <summary>One token, few (streamed), many (fused feed-forward, blocks of attention), rows of one length and of several.</summary>
    public static int[][] Batches { get; } = [[1], [8], [9], [20], [200], [2, 2, 2], [3, 7], [20, 9, 1], [40, 40]];

    public static void AssertSame(PretrainedModel model, ForwardOptions options, params int[] lengths)
    {
        ModelInputs inputs = TracedModels.Inputs(lengths.Length == 0 ? [20, 5] : lengths);
        using Session plain = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize }),
            traced = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize });
        using ActivationTrace trace = traced.Trace(TracedModels.Everything);
        Assert.That(Outputs(model, inputs, traced, options), Is.EqualTo(Outputs(model, inputs, plain, options)),
            $"{model.Architecture} {options}, rows of {string.Join(", ", lengths)} tokens");
        Assert.That(trace.Names, Is.EqualTo(model.ActivationNames), model.Architecture);
    }

    private static float[][] Outputs(PretrainedModel model, ModelInputs inputs, Session session, ForwardOptions options) =>
        [.. model.Forward(inputs, session, options).NamedTensors().Select(tensor => tensor.ToArray())];
}
