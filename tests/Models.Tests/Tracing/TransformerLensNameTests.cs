namespace ManagedTransformers.Models.Tests;

/// <summary>TransformerLens's names give the tensors of the own names, in TransformerLens's shapes, and change them.</summary>
public sealed class TransformerLensNameTests
{
    private const string A = "transformer.h.1.attn";
    private static readonly int[] s_prompt = [5, 17, 3, 22, 9, 30, 11];
    private DecoderForCausalLM _decoder = null!;
    private BertForMaskedLM _encoder = null!;

    [OneTimeSetUp]
    public void Load() => (_decoder, _encoder) = (TracedModels.Decoder(), TracedModels.Encoder<BertForMaskedLM>());

    [OneTimeTearDown]
    public void Dispose()
    {
        _decoder.Dispose();
        _encoder.Dispose();
    }

    private static (float[] Logits, TracedPass Pass) Run(PretrainedModel model, ModelInputs inputs, string[] names, params Intervention[] interventions)
    {
        using Session session = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize });
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = names, Interventions = interventions });
        return (((LogitsOutput)model.Forward(inputs, session)).Logits.ToArray(), trace.Passes[0]);
    }

    private float[] Logits(params Intervention[] interventions) => Run(_decoder, ModelInputs.Of(s_prompt), [], interventions).Logits;

    /// <summary>[batch, heads, tokens, width] as [batch, tokens, heads, width].</summary>
    private static float[] TokensFirst(FloatTensor x)
    {
        var turned = new List<float>();
        for (int row = 0; row < x.Shape[0]; row++)
            for (int token = 0; token < x.Shape[2]; token++)
                for (int head = 0; head < x.Shape[1]; head++)
                    for (int i = 0; i < x.Shape[3]; i++)
                        turned.Add(x[row, head, token, i]);
        return [.. turned];
    }

    [TestCase("hook_embed", "transformer.wte", 2, 7, 64)]
    [TestCase("blocks.0.hook_resid_pre", "transformer.drop", 2, 7, 64)]
    [TestCase("blocks.2.hook_resid_pre", "transformer.h.1", 2, 7, 64)]
    [TestCase("blocks.1.hook_resid_post", "transformer.h.1", 2, 7, 64)]
    [TestCase("blocks.1.hook_attn_out", A, 2, 7, 64)]
    [TestCase("blocks.1.hook_mlp_out", "transformer.h.1.mlp", 2, 7, 64)]
    [TestCase("blocks.1.mlp.hook_pre", "transformer.h.1.mlp.fc_in", 2, 7, 192)]
    [TestCase("blocks.1.mlp.hook_post", "transformer.h.1.mlp.act", 2, 7, 192)]
    [TestCase("blocks.1.attn.hook_attn_scores", $"{A}.scores", 2, 4, 7, 7)]
    [TestCase("blocks.1.attn.hook_pattern", $"{A}.probabilities", 2, 4, 7, 7)]
    public void A_name_of_TransformerLens_gives_the_tensor_of_the_own_name(string lens, string own, params int[] shape)
    {
        TracedPass pass = Run(_decoder, TracedModels.Inputs(7, 5), [lens, own]).Pass;
        Assert.That(pass.Tensors.Select(tensor => tensor.Name), Is.EquivalentTo(new[] { lens, own }));
        Assert.That(pass[lens].Shape.ToArray(), Is.EqualTo(shape));
        Assert.That(pass[lens].ToArray(), Is.EqualTo(pass[own].ToArray()));
    }

    [TestCase("blocks.1.attn.hook_z", $"{A}.heads", 16)]
    [TestCase("blocks.1.attn.hook_v", $"{A}.value", 16)]
    [TestCase("blocks.1.attn.hook_rot_q", $"{A}.query", 16)]
    [TestCase("blocks.1.attn.hook_rot_k", $"{A}.key", 16)]
    [TestCase("blocks.1.attn.hook_result", $"{A}.head_outputs", 64)]
    public void Heads_come_after_tokens(string lens, string own, int width)
    {
        TracedPass pass = Run(_decoder, TracedModels.Inputs(7, 5), [lens, own]).Pass;
        Assert.That(pass[lens].Shape.ToArray(), Is.EqualTo(new[] { 2, 7, 4, width }));
        Assert.That(pass[lens].ToArray(), Is.EqualTo(TokensFirst(pass[own])));
    }

    [TestCase("q")]
    [TestCase("k")]
    public void Queries_and_keys_are_those_before_the_rotation_which_leaves_position_0_and_what_lies_beyond_rotary_dim(string part)
    {
        TracedPass pass = Run(_decoder, ModelInputs.Of(s_prompt), [$"blocks.1.attn.hook_{part}", $"blocks.1.attn.hook_rot_{part}"]).Pass;
        FloatTensor before = pass[$"blocks.1.attn.hook_{part}"], after = pass[$"blocks.1.attn.hook_rot_{part}"];
        Assert.That(before.Shape.ToArray(), Is.EqualTo(new[] { 1, 7, 4, 16 }));
        for (int token = 0; token < 7; token++)
        {
            for (int head = 0; head < 4; head++)
            {
                float[] unturned = [.. before.Row(token * 4 + head)], turned = [.. after.Row(token * 4 + head)];
                Assert.That(turned[8..], Is.EqualTo(unturned[8..]));
                Assert.That(turned[..8], token == 0 ? Is.EqualTo(unturned[..8]) : Is.Not.EqualTo(unturned[..8]));
            }
        }
    }

    [TestCase("hook_full_embed", "bert.embeddings")]
    [TestCase("blocks.1.hook_attn_out", "bert.encoder.layer.1.attention.output.dense")]
    [TestCase("blocks.1.hook_mlp_out", "bert.encoder.layer.1.output.dense")]
    [TestCase("blocks.1.hook_normalized_resid_post", "bert.encoder.layer.1")]
    [TestCase("blocks.1.attn.hook_q", "bert.encoder.layer.1.attention.self.query")]
    public void Encoders_have_theirs(string lens, string own)
    {
        TracedPass pass = Run(_encoder, TracedModels.Inputs(6, 4), [lens, own]).Pass;
        // All heads side by side are the heads after the token.
        Assert.That(pass[lens].Shape.ToArray(), Is.EqualTo(lens.EndsWith("hook_q", StringComparison.Ordinal) ? new[] { 2, 6, 4, 12 } : [2, 6, 48]));
        Assert.That(pass[lens].ToArray(), Is.EqualTo(pass[own].ToArray()));
    }

    [Test]
    public void What_was_kept_under_its_own_name_answers_to_TransformerLenss_and_patterns_take_both()
    {
        TracedPass pass = Run(_decoder, ModelInputs.Of(s_prompt), ["**.heads", "blocks.*.attn.hook_pattern"]).Pass;
        Assert.That(pass.Tensors.Select(tensor => tensor.Name), Is.EqualTo(Enumerable.Range(0, 3)
            .SelectMany(layer => new[] { $"blocks.{layer}.attn.hook_pattern", $"transformer.h.{layer}.attn.heads" })));
        Assert.That(pass["blocks.2.attn.hook_z"].Shape.ToArray(), Is.EqualTo(new[] { 1, 7, 4, 16 }));
        Assert.That(pass["blocks.2.attn.hook_z"].ToArray(), Is.EqualTo(TokensFirst(pass["transformer.h.2.attn.heads"])));
        Assert.That(() => pass["blocks.2.hook_mlp_out"], Throws.TypeOf<TraceException>().With.Message.Contains("was not kept in this pass"));
    }

    [Test]
    public void An_intervention_by_TransformerLenss_name_does_what_it_does_by_the_own_one()
    {
        float[] withoutHead = Logits(Intervention.ZeroHead(A, head: 2));
        Assert.That(withoutHead, Is.Not.EqualTo(Logits()));
        Assert.That(Logits(new Intervention("blocks.1.attn.hook_z", z =>
        {
            for (int token = 0; token < z.Shape[1]; token++)
                z.Row(token * z.Shape[2] + 2).Clear();
        })), Is.EqualTo(withoutHead));
        Assert.That(Logits(new Intervention("blocks.*.hook_mlp_out", mlp => mlp.Span.Clear())),
            Is.EqualTo(Logits(new Intervention("transformer.h.*.mlp", mlp => mlp.Span.Clear()))));
        // A query of zeros is one of zeros after its rotation, too.
        Assert.That(Logits(new Intervention("blocks.1.attn.hook_q", q => q.Span.Clear())),
            Is.EqualTo(Logits(new Intervention($"{A}.query", q => q.Span.Clear()))));
    }

    [TestCase("blocks.1.hook_resid_mid", "no activation that matches blocks.1.hook_resid_mid. The nearest names are blocks.1.hook_resid_pre")]
    [TestCase("blocks.3.hook_mlp_out", "has no activation that matches blocks.3.hook_mlp_out")]
    [TestCase("blocks.*.hook_scale", "TransformerLensNames lists all")]
    public void A_name_that_the_model_does_not_have_is_refused(string name, string message)
    {
        using Session session = _decoder.CreateSession();
        Assert.That(() => session.Trace(name), Throws.TypeOf<TraceException>().With.Message.Contains(message));
    }

    [Test]
    public void An_encoders_stream_before_LayerNorm_is_no_activation()
    {
        using Session session = _encoder.CreateSession();
        Assert.That(() => session.Trace("blocks.0.hook_resid_post"), Throws.TypeOf<TraceException>().With.Message.Contains("blocks.0.hook_resid_pre"));
    }

    [Test]
    public void Copies_count_against_the_memory_limit()
    {
        using Session session = _decoder.CreateSession();
        // 7 tokens of 64 floats are 1,792 bytes, twice 3,584.
        string[] both = ["transformer.h.1", "blocks.1.hook_resid_post"];
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = both, MemoryLimit = 3583 });
        Assert.That(() => _decoder.Forward(s_prompt, session), Throws.TypeOf<TraceException>().With.Message.Contains("3584 bytes"));
    }
}
