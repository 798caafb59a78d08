namespace ManagedTransformers.Models.Tests;

/// <summary>What an edited activation does to what comes after it, and that one that is put back does nothing.</summary>
public sealed class InterventionTests
{
    private static readonly int[] s_prompt = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14, 3, 7], s_other = [6, 1, 33, 25, 39, 4, 12, 12, 20, 31, 9, 8];
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

    private float[] Logits(PretrainedModel model, int[] ids, params Intervention[] interventions) => Run(model, ModelInputs.Of(ids), interventions).Logits;

    private static (float[] Logits, ActivationTrace Trace) Run(PretrainedModel model, ModelInputs inputs, Intervention[] interventions, params string[] names)
    {
        using Session session = model.CreateSession(new SessionOptions { BatchSize = inputs.BatchSize });
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = names, Interventions = interventions });
        return (((LogitsOutput)model.Forward(inputs, session)).Logits.ToArray(), trace);
    }

    private IEnumerable<PretrainedModel> Models => [_decoder, _encoder];

    [Test]
    public void An_activation_in_its_own_place_changes_no_bit([Values(0, 1)] int which)
    {
        PretrainedModel model = Models.ElementAt(which);
        ModelInputs inputs = TracedModels.Inputs(12, 7);
        (float[] expected, ActivationTrace own) = Run(model, inputs, [], "**", "**head_outputs");
        foreach (string name in model.ActivationNames)
            Assert.That(Run(model, inputs, [Intervention.Replace(name, own[name])]).Logits, Is.EqualTo(expected), name);
        Assert.That(Run(model, inputs, [.. model.ActivationNames.Select(name => Intervention.Replace(name, own[name]))]).Logits, Is.EqualTo(expected));
    }

    [TestCase("transformer.wte")]
    [TestCase("transformer.drop")]
    [TestCase("transformer.h.0")]
    [TestCase("transformer.h.1")]
    [TestCase("transformer.h.2")]
    [TestCase("transformer.ln_f")]
    [TestCase("lm_head")]
    public void The_residual_stream_of_another_run_gives_its_scores(string name)
    {
        (float[] expected, ActivationTrace other) = Run(_decoder, ModelInputs.Of(s_other), [], name);
        Assert.That(expected, Is.Not.EqualTo(Logits(_decoder, s_prompt)));
        Assert.That(Logits(_decoder, s_prompt, Intervention.Replace(name, other[name])), Is.EqualTo(expected));
    }

    [TestCase("bert.embeddings")]
    [TestCase("bert.encoder.layer.0.attention.output")]
    [TestCase("bert.encoder.layer.0.attention")]
    [TestCase("bert.encoder.layer.0.output")]
    [TestCase("bert.encoder.layer.1")]
    [TestCase("cls.predictions.transform")]
    [TestCase("cls.predictions.decoder")]
    [TestCase("cls.predictions")]
    public void The_residual_stream_of_another_run_gives_an_encoders_scores(string name)
    {
        (float[] expected, ActivationTrace other) = Run(_encoder, ModelInputs.Of(s_other), [], name);
        Assert.That(Logits(_encoder, s_prompt, Intervention.Replace(name, other[name])), Is.EqualTo(expected));
    }

    // Each name alone, then with the rest of what the later computation reads from the same place: scores of the other run.
    [TestCase("qkv_proj")]
    [TestCase("query", "key", "value")]
    [TestCase("scores", "value")]
    [TestCase("probabilities", "value")]
    [TestCase("heads")]
    [TestCase("head_outputs")]
    [TestCase("out_proj")]
    public void All_that_an_attention_reads_from_another_run_gives_that_runs_attention(params string[] parts)
    {
        const string Attention = "transformer.h.1.attn";
        string[] names = [.. parts.Select(part => $"{Attention}.{part}")];
        ActivationTrace other = Run(_decoder, ModelInputs.Of(s_other), [], [Attention, .. names]).Trace;
        ActivationTrace patched = Run(_decoder, ModelInputs.Of(s_prompt), [.. names.Select(name => Intervention.Replace(name, other[name]))], Attention).Trace;
        Assert.That(patched[Attention].ToArray(), Is.EqualTo(other[Attention].ToArray()).Within(2e-6));
    }

    [TestCase("fc_in")]
    [TestCase("act")]
    [TestCase("fc_out")]
    public void All_that_a_feed_forward_block_reads_from_another_run_gives_that_runs_output(string part)
    {
        const string Block = "transformer.h.1.mlp";
        ActivationTrace other = Run(_decoder, ModelInputs.Of(s_other), [], Block, $"{Block}.{part}").Trace;
        ActivationTrace patched = Run(_decoder, ModelInputs.Of(s_prompt), [Intervention.Replace($"{Block}.{part}", other[$"{Block}.{part}"])], Block).Trace;
        Assert.That(patched[Block].ToArray(), Is.EqualTo(other[Block].ToArray()).Within(2e-6));
    }

    [TestCase("cls.predictions.transform.dense")]
    [TestCase("bert.encoder.layer.1.attention.self.head_outputs")]
    [TestCase("bert.encoder.layer.1.attention.self")]
    public void Products_before_an_activation_and_shares_of_heads_are_read_in_encoders(string name)
    {
        string after = name.StartsWith("cls", StringComparison.Ordinal) ? "cls.predictions.transform" : "bert.encoder.layer.1.attention.output.dense";
        ActivationTrace other = Run(_encoder, ModelInputs.Of(s_other), [], name, after).Trace;
        ActivationTrace patched = Run(_encoder, ModelInputs.Of(s_prompt), [Intervention.Replace(name, other[name])], after).Trace;
        Assert.That(patched[after].ToArray(), Is.EqualTo(other[after].ToArray()).Within(5e-6));
    }

    [Test]
    public void A_head_that_is_zeroed_is_a_head_with_a_zero_in_the_head_mask([Values(0, 1)] int which, [Values(0, 3)] int head)
    {
        PretrainedModel model = Models.ElementAt(which);
        string attention = which == 0 ? "transformer.h.1.attn" : "bert.encoder.layer.1.attention.self";
        var mask = new FloatTensor("head_mask", model.Config.Layers, 4);
        mask.Span.Fill(1);
        mask.Row(1)[head] = 0;
        float[] expected = Run(model, new ModelInputs(1, 12) { InputIds = s_prompt, HeadMask = mask }, []).Logits;
        (float[] found, ActivationTrace trace) = Run(model, ModelInputs.Of(s_prompt), [Intervention.ZeroHead(attention, head)], $"{attention}.heads");
        Assert.That(found, Is.EqualTo(expected));
        Assert.That(trace[$"{attention}.heads"].Span.Slice(head * 12 * trace[$"{attention}.heads"].Shape[3], 12).ToArray(), Is.All.Zero,
            "the trace keeps what flows on");
    }

    [Test]
    public void A_key_whose_scores_are_minus_infinity_is_a_key_that_the_mask_hides()
    {
        int[] mask = [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1];
        float[] expected = Run(_encoder, new ModelInputs(1, 12) { InputIds = s_prompt, AttentionMask = mask }, []).Logits;
        var hide = new Intervention("bert.encoder.layer.*.attention.self.scores", scores =>
        {
            for (int i = 0; i < scores.Length; i += 12)
                scores.Span[i + 4] = float.NegativeInfinity;
        });
        float[] found = Logits(_encoder, s_prompt, hide);
        for (int token = 0; token < 12; token++)
        {
            if (token != 4)
                Assert.That(found[(token * 40)..((token + 1) * 40)], Is.EqualTo(expected[(token * 40)..((token + 1) * 40)]).Within(1e-4));
        }
    }

    [Test]
    public void Edited_probabilities_are_the_attentions_that_the_pass_returns()
    {
        using Session session = _decoder.CreateSession();
        var uniform = new Intervention("transformer.h.0.attn.probabilities", p => p.Span.Fill(1f / 12));
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = [uniform] });
        Assert.That(_decoder.Forward(s_prompt, session, new ForwardOptions { OutputAttentions = true }).Attentions![0].ToArray(), Is.All.EqualTo(1f / 12));
    }

    [Test]
    public void Edited_keys_and_values_are_those_in_the_cache([Values(Kernels.WeightType.F32, Kernels.WeightType.F16)] Kernels.WeightType type)
    {
        using Session session = _decoder.CreateSession(new SessionOptions { KeyValueType = type });
        Intervention[] edits = [new("transformer.h.1.attn.key", key => key.Span.Fill(0.5f)), new("transformer.h.1.attn.value", value => value.Span.Fill(-2))];
        using (session.Trace(new TraceOptions { Names = [], Interventions = edits }))
            _decoder.Forward(s_prompt, session);
        Assert.That(session.Cache!.Keys(1).ToArray(), Is.All.EqualTo(0.5f));
        Assert.That(session.Cache.Values(1).ToArray(), Is.All.EqualTo(-2f));
        using ActivationTrace after = session.Trace("transformer.h.1.attn.probabilities");
        _decoder.Step([7], [0], session);
        float[] p = after["transformer.h.1.attn.probabilities"].Row(2).ToArray();
        Assert.That(p, Has.Length.EqualTo(13));
        Assert.That(p[..12], Is.All.EqualTo(p[0]).Within(1e-7), "equal keys have equal probabilities");
    }

    [Test]
    public void Edits_run_in_order_in_every_pass_and_the_trace_keeps_the_result()
    {
        using Session session = _decoder.CreateSession(new SessionOptions { BatchSize = 2 });
        Intervention[] edits = [new("transformer.h.0", x => x.Span.Fill(1)), new("transformer.h.*", x => x.Span[0] += 2)];
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = ["transformer.h.0"], Interventions = edits });
        _decoder.Append([3, 4, 5], [2, 1], [0, 1], session, ScoresOf.None);
        Assert.That(trace["transformer.h.0"].Row(0)[..2].ToArray(), Is.EqualTo(new[] { 3f, 1f }));
        Assert.That(trace["transformer.h.0"].Row(3).ToArray(), Is.All.Zero, "padding stays zero");
        _decoder.Step([3, 4], [0, 1], session);
        Assert.That(trace.Passes, Has.Count.EqualTo(2));
    }

    [Test]
    public void A_value_of_another_shape_is_refused_with_both_shapes()
    {
        var wrong = Intervention.Replace("transformer.h.1", new FloatTensor("mine", 1, 11, 64));
        Assert.That(() => Logits(_decoder, s_prompt, wrong),
            Throws.TypeOf<TraceException>().With.Message.Contains("[1, 12, 64]").And.Message.Contains("[1, 11, 64]"));
    }

    [Test]
    public void A_head_that_the_model_lacks_is_refused_when_the_trace_is_opened([Values(4, -1)] int head)
    {
        using Session session = _decoder.CreateSession();
        Assert.That(() => session.Trace(new TraceOptions { Interventions = [Intervention.ZeroHead("transformer.h.0.attn", head)] }),
            Throws.TypeOf<TraceException>().With.Message.Contains($"head {head} is outside 0 … 3"));
        Assert.That(() => session.Trace(new TraceOptions { Interventions = [Intervention.ZeroHead("transformer.h.0.atn", 0)] }),
            Throws.TypeOf<TraceException>().With.Message.Contains("transformer.h.0.attn.heads"));
    }

    [Test]
    public void An_edit_that_throws_leaves_no_pass_and_the_session_usable()
    {
        float[] expected = Logits(_decoder, s_prompt);
        using Session session = _decoder.CreateSession();
        var options = new TraceOptions { Names = ["**"], Interventions = [new Intervention("transformer.h.1", _ => throw new InvalidDataException("stop"))] };
        using (ActivationTrace trace = session.Trace(options))
        {
            Assert.That(() => _decoder.Forward(s_prompt, session), Throws.TypeOf<InvalidDataException>());
            Assert.That(trace.Passes, Is.Empty);
        }
        Assert.That(session.Cache!.Length(0), Is.Zero);
        Assert.That(_decoder.Forward(s_prompt, session).Logits.ToArray(), Is.EqualTo(expected));
    }
}
