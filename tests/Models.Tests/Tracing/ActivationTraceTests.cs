namespace ManagedTransformers.Models.Tests;

/// <summary>What a trace keeps: which names, in which shapes, of which passes, how much.</summary>
public sealed class ActivationTraceTests
{
    private DecoderForCausalLM _decoder = null!;
    private RobertaForMaskedLM _encoder = null!;

    [OneTimeSetUp]
    public void Load() => (_decoder, _encoder) = (TracedModels.Decoder(), TracedModels.Encoder<RobertaForMaskedLM>());

    [OneTimeTearDown]
    public void Dispose()
    {
        _decoder.Dispose();
        _encoder.Dispose();
    }

    [Test]
    public void Names_are_module_paths_of_transformers_in_execution_order()
    {
        string[] block =
            ["ln_1", "attn.qkv_proj", "attn.query", "attn.key", "attn.value", "attn.scores", "attn.probabilities", "attn.heads", "attn.head_outputs",
                "attn.out_proj", "attn", "mlp.fc_in", "mlp.act", "mlp.fc_out", "mlp"];
        IEnumerable<string> blocks = Enumerable.Range(0, 3).SelectMany(n => block.Select(name => $"transformer.h.{n}.{name}").Append($"transformer.h.{n}"));
        Assert.That(_decoder.ActivationNames, Is.EqualTo((string[])["transformer.wte", "transformer.drop", .. blocks, "transformer.ln_f", "lm_head"]));

        string[] layer =
            ["attention.self.query", "attention.self.key", "attention.self.value", "attention.self.scores", "attention.self.probabilities",
                "attention.self.heads", "attention.self", "attention.self.head_outputs",
            "attention.output.dense", "attention.output", "attention", "intermediate.dense", "intermediate", "output.dense", "output"];
        IEnumerable<string> layers = Enumerable.Range(0, 2)
            .SelectMany(n => layer.Select(name => $"roberta.encoder.layer.{n}.{name}").Append($"roberta.encoder.layer.{n}"));
        Assert.That(_encoder.ActivationNames,
            Is.EqualTo((string[])["roberta.embeddings", .. layers, "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head"]));
    }

    [Test]
    public void Names_of_heads()
    {
        using var pretraining = TracedModels.Encoder<BertForPreTraining>();
        using var classifier = TracedModels.Encoder<RobertaForSequenceClassification>();
        using var scorer = TracedModels.Encoder<BertForSequenceClassification>();
        Assert.That(pretraining.ActivationNames.TakeLast(7), Is.EqualTo((string[])[
            "cls.predictions.transform.dense", "cls.predictions.transform", "cls.predictions.decoder", "cls.predictions", "bert.pooler.dense", "bert.pooler",
            "cls.seq_relationship"]));
        Assert.That(classifier.ActivationNames.TakeLast(3), Is.EqualTo((string[])["classifier.dense", "classifier.out_proj", "classifier"]));
        Assert.That(scorer.ActivationNames.TakeLast(3), Is.EqualTo((string[])["bert.pooler.dense", "bert.pooler", "classifier"]));
    }

    [Test]
    public void Shapes_are_those_that_a_hook_sees()
    {
        using Session session = _decoder.CreateSession(new SessionOptions { BatchSize = 2 });
        using ActivationTrace trace = session.Trace(TracedModels.Everything);
        _decoder.Forward(TracedModels.Inputs(6, 6), session);
        _decoder.Forward(TracedModels.Inputs(3, 3), session);
        string attn = "transformer.h.1.attn";
        Dictionary<string, int[]> expected = new()
        {
            ["transformer.wte"] = [2, 3, 64], [$"{attn}.qkv_proj"] = [2, 3, 192], [$"{attn}.query"] = [2, 4, 3, 16], [$"{attn}.key"] = [2, 4, 3, 16],
            [$"{attn}.scores"] = [2, 4, 3, 9],
            [$"{attn}.probabilities"] = [2, 4, 3, 9], [$"{attn}.heads"] = [2, 4, 3, 16], [$"{attn}.head_outputs"] = [2, 4, 3, 64], [attn] = [2, 3, 64],
            ["transformer.h.1.mlp.fc_in"] = [2, 3, 192], ["lm_head"] = [2, 3, 40],
        };
        foreach ((string name, int[] shape) in expected)
            Assert.That(trace[name].Shape.ToArray(), Is.EqualTo(shape), name);
        Assert.That(trace.Passes[0][$"{attn}.scores"].Shape.ToArray(), Is.EqualTo(new[] { 2, 4, 6, 6 }));
        Assert.That((trace.Passes[1].BatchSize, trace.Passes[1].SequenceLength), Is.EqualTo((2, 3)));
        Assert.That(trace.Passes[1].InputIds, Is.EqualTo(TracedModels.Inputs(3, 3).InputIds));
    }

    [Test]
    public void Scores_are_scaled_products_of_queries_and_all_keys_and_hide_the_future()
    {
        using Session session = _decoder.CreateSession();
        using ActivationTrace trace = session.Trace("transformer.h.2.attn.**");
        _decoder.Forward(TracedModels.Inputs(5), session);
        _decoder.Forward([7, 8], session);
        (FloatTensor scores, FloatTensor query) = (trace["transformer.h.2.attn.scores"], trace["transformer.h.2.attn.query"]);
        FloatTensor[] keys = [.. trace.Passes.Select(pass => pass["transformer.h.2.attn.key"])];
        for (int head = 0; head < 4; head++)
        {
            for (int i = 0; i < 2; i++)
            {
                for (int j = 0; j < 7; j++)
                {
                    FloatTensor key = keys[j / 5];
                    double dot = Enumerable.Range(0, 16).Sum(d => (double)query[0, head, i, d] * key[0, head, j % 5, d]);
                    Assert.That(scores[0, head, i, j], j <= 5 + i ? Is.EqualTo(dot / 4).Within(1e-5) : Is.EqualTo(float.NegativeInfinity));
                }
                float[] p = trace["transformer.h.2.attn.probabilities"].Row((head * 2) + i).ToArray();
                double[] e = [.. scores.Row((head * 2) + i).ToArray().Select(s => Math.Exp(s))];
                Assert.That(p, Is.EqualTo(e.Select(one => (float)(one / e.Sum()))).Within(1e-6));
            }
        }
    }

    [Test]
    public void Padding_that_is_left_out_is_zero_and_the_rest_is_as_alone()
    {
        using Session together = _encoder.CreateSession(), alone = _encoder.CreateSession();
        using ActivationTrace padded = together.Trace(TracedModels.Everything), single = alone.Trace(TracedModels.Everything);
        _encoder.Forward(TracedModels.Inputs(9, 5), together);
        _encoder.Forward(new ModelInputs(1, 5) { InputIds = TracedModels.Inputs(9, 5).InputIds![9..14] }, alone);
        foreach (string name in padded.Names)
        {
            (FloatTensor of, FloatTensor expected) = (padded[name], single[name]);
            bool heads = of.Rank == 4, keys = name.EndsWith("scores", StringComparison.Ordinal) || name.EndsWith("probabilities", StringComparison.Ordinal);
            int groups = heads ? of.Shape[1] : 1;
            for (int group = 0; group < groups; group++)
            {
                for (int column = 0; column < 9; column++)
                {
                    float[] row = of.Row(((groups + group) * 9) + column).ToArray();
                    if (column >= 5)
                        Assert.That(row, Is.All.Zero, $"{name} at padding {column}");
                    else
                        Assert.That(keys ? row[..5] : row, Is.EqualTo(expected.Row((group * 5) + column).ToArray()).Within(2e-5), $"{name} at {column}");
                    if (keys && column < 5)
                        Assert.That(row[5..], Is.All.EqualTo(name.EndsWith("scores", StringComparison.Ordinal) ? float.NegativeInfinity : 0f));
                }
            }
        }
    }

    [Test]
    public void Rows_of_Append_are_laid_out_to_the_longest_and_chosen_scores_are_rows()
    {
        using Session session = _decoder.CreateSession(new SessionOptions { BatchSize = 3 });
        using ActivationTrace trace = session.Trace("transformer.h.0", "transformer.h.0.attn.probabilities", "lm_head");
        _decoder.Append([4, 5, 6, 7], [3, 1], [2, 0], session, ScoresOf.LastTokens);
        Assert.That(trace.Passes[0].InputIds, Is.EqualTo(new[] { 4, 5, 6, 7, -1, -1 }));
        Assert.That(trace["transformer.h.0"].Shape.ToArray(), Is.EqualTo(new[] { 2, 3, 64 }));
        Assert.That(trace["transformer.h.0"].Row(4).ToArray(), Is.All.Zero);
        Assert.That(trace["lm_head"].Shape.ToArray(), Is.EqualTo(new[] { 2, 40 }));
        _decoder.Step([9, 9], [2, 0], session);
        Assert.That(trace["lm_head"].Shape.ToArray(), Is.EqualTo(new[] { 2, 1, 40 }));
        Assert.That(trace["transformer.h.0.attn.probabilities"].Shape.ToArray(), Is.EqualTo(new[] { 2, 4, 1, 4 }));
        Assert.That(trace["transformer.h.0.attn.probabilities"].Row(4).ToArray()[2..], Is.All.Zero, "the second row has two keys");
        _decoder.Append([3], [], [1], session, ScoresOf.None);
        Assert.That(trace.Names, Does.Not.Contain("lm_head"));
    }

    [Test]
    public void Only_what_is_asked_for_is_kept()
    {
        using Session session = _decoder.CreateSession();
        using (ActivationTrace blocks = session.Trace("transformer.h.*"))
        {
            _decoder.Forward([3, 4, 5], session);
            Assert.That(blocks.Names, Is.EqualTo(new[] { "transformer.h.0", "transformer.h.1", "transformer.h.2" }));
        }
        using (ActivationTrace all = session.Trace())
        {
            _decoder.Forward([3], session);
            Assert.That(all.Names, Is.EqualTo(_decoder.ActivationNames.Where(name => !name.EndsWith("head_outputs", StringComparison.Ordinal))));
        }
        using ActivationTrace shares = session.Trace("transformer.h.*.attn.head_outputs", "transformer.h.1.mlp.*");
        _decoder.Forward([3], session);
        Assert.That(shares.Names, Has.Count.EqualTo(6));
    }

    [TestCase("a.*.c", "a.b.c", true)]
    [TestCase("a.*.c", "a.b.b.c", false)]
    [TestCase("a.**.c", "a.b.b.c", true)]
    [TestCase("a**", "a", true)]
    [TestCase("*b*.**", "abc.d.e", true)]
    [TestCase("***", "a.b", true)]
    [TestCase("a.b", "a.bc", false)]
    [TestCase("*", "", true)]
    [TestCase("", "a", false)]
    [TestCase("**", "a.head_outputs", false)]
    [TestCase("**.head_outputs", "a.head_outputs", true)]
    public void A_star_stands_for_anything_but_a_dot_and_two_for_anything(string pattern, string name, bool expected) =>
        Assert.That(ActivationPattern.Matches(pattern, name), Is.EqualTo(expected));

    [Test]
    public void Names_that_the_model_lacks_are_refused_at_once_with_the_nearest()
    {
        using Session session = _decoder.CreateSession();
        Assert.That(() => session.Trace("transformer.h.0", "transfomer.h.0.attn"),
            Throws.TypeOf<TraceException>().With.Message.Contains("matches transfomer.h.0.attn").And.Message.Contains("transformer.h.0.attn,"));
        Assert.That(() => session.Trace("transformer.h.7.*"), Throws.TypeOf<TraceException>());
        var elsewhere = new TraceOptions { Names = [], Interventions = [new Intervention("roberta.embeddings", _ => { })] };
        Assert.That(() => session.Trace(elsewhere), Throws.TypeOf<TraceException>().With.Message.Contains("roberta.embeddings"));
        using ActivationTrace trace = session.Trace("transformer.h.1.mlp");
        Assert.That(() => trace["transformer.h.1.mlp"], Throws.TypeOf<TraceException>().With.Message.Contains("No pass has run"));
        _decoder.Forward([3], session);
        Assert.That(() => trace["transformer.h.1.attn"],
            Throws.TypeOf<TraceException>().With.Message.Contains("was not kept").And.Message.Contains("transformer.h.1.mlp"));
        Assert.That(() => trace["transformer.h.1.mpl"],
            Throws.TypeOf<TraceException>().With.Message.Contains("no activation transformer.h.1.mpl").And.Message.Contains("transformer.h.1.mlp"));
    }

    [Test]
    public void More_memory_than_allowed_is_refused_and_leaves_the_session_as_it_was()
    {
        using Session session = _decoder.CreateSession();
        // 3 blocks of 4 tokens
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = ["transformer.h.*"], MemoryLimit = 4 * 3 * 4 * 64 });
        _decoder.Forward([3, 4, 5, 6], session);
        Assert.That(() => _decoder.Forward([3], session),
            Throws.TypeOf<TraceException>().With.Message.Contains("256 bytes more than the 3072").And.Message.Contains("MemoryLimit 3072"));
        Assert.That((trace.Passes.Count, session.Cache!.Length(0)), Is.EqualTo((1, 4)));
        Assert.That(() => session.Trace(new TraceOptions { MemoryLimit = -1 }), Throws.TypeOf<TraceException>());
    }

    [Test]
    public void Scores_over_the_limit_are_refused_before_there_is_room_for_them()
    {
        using Session session = _decoder.CreateSession();
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = ["transformer.h.0.attn.scores"], MemoryLimit = 1000 });
        Assert.That(() => _decoder.Forward(TracedModels.Inputs(20), session),
            Throws.TypeOf<TraceException>().With.Message.Contains($"[1, 4, 20, 20] takes {4 * 4 * 20 * 20} bytes"));
    }

    [Test]
    public void A_session_has_one_trace_at_a_time_and_what_was_kept_outlives_both()
    {
        ActivationTrace trace;
        using (Session session = _decoder.CreateSession())
        {
            trace = session.Trace("lm_head");
            Assert.That(() => session.Trace("lm_head"), Throws.TypeOf<TraceException>().With.Message.Contains("open"));
            _decoder.Forward([3], session);
            trace.Dispose();
            using ActivationTrace second = session.Trace("transformer.ln_f");
            trace.Dispose();                                                // again: not the other one's end
            _decoder.Forward([3], session);
            Assert.That((trace.Passes.Count, second.Passes.Count), Is.EqualTo((1, 1)));
        }
        Assert.That(trace["lm_head"].Length, Is.EqualTo(40));
        trace.Dispose();
        Session disposed = _decoder.CreateSession();
        disposed.Dispose();
        Assert.That(() => disposed.Trace(), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Steps_after_a_trace_allocate_nothing()
    {
        using Session session = _decoder.CreateSession();
        int[] token = [4], sequence = [0];
        using (session.Trace())
            _decoder.Step(token, sequence, session);
        for (int i = 0; i < 8; i++)
            _decoder.Step(token, sequence, session);
        Assert.That(ManagedTransformers.Testing.Allocations.Of(() => _decoder.Step(token, sequence, session)), Is.Zero);
    }

    [Test]
    public void A_saved_trace_is_a_safetensors_file_with_the_names_and_of_several_passes_with_their_numbers()
    {
        using var directory = new TemporaryDirectory();
        using Session session = _decoder.CreateSession();
        using ActivationTrace trace = session.Trace("transformer.h.1", "lm_head");
        Assert.That(() => trace.Save(directory["trace.safetensors"]), Throws.TypeOf<TraceException>());
        _decoder.Forward([3, 4], session);
        trace.Save(directory["trace.safetensors"]);
        using (SafetensorsFile file = SafetensorsFile.Open(directory["trace.safetensors"]))
        {
            Assert.That(file.Weights.Keys, Is.EquivalentTo(new[] { "transformer.h.1", "lm_head" }));
            Assert.That(file.Weights["transformer.h.1"].Shape, Is.EqualTo(new long[] { 1, 2, 64 }));
            Assert.That(file.Weights["transformer.h.1"].ToSingle(), Is.EqualTo(trace["transformer.h.1"].ToArray()));
        }
        _decoder.Forward([5], session);
        Assert.That(() => trace.Save(directory["trace.safetensors"]), Throws.TypeOf<IOException>().With.Message.Contains("overwrite"));
        trace.Save(directory["trace.safetensors"], overwrite: true);
        using SafetensorsFile both = SafetensorsFile.Open(directory["trace.safetensors"]);
        Assert.That(both.Weights.Keys, Is.EquivalentTo(new[] { "pass.0.transformer.h.1", "pass.0.lm_head", "pass.1.transformer.h.1", "pass.1.lm_head" }));
    }
}
