using ManagedTransformers.Models;

namespace ManagedTransformers.Diagnostics.Tests;

public sealed class ModelExplainerTests
{
    private const string Code = "def add(a, b):\n    return a +";
    private const string Php = "public static <mask> set(string $key, <mask>) {";

    private readonly ModelExplainer _decoder = ModelExplainer.Load(TestData.Model("demo-codegen"));
    private readonly ModelExplainer _encoder = ModelExplainer.Load(TestData.Model("demo-fill-mask"));

    [OneTimeTearDown]
    public void Dispose()
    {
        _decoder.Dispose();
        _encoder.Dispose();
    }

    [Test]
    public void The_parts_of_a_decoder_sum_to_the_answers_lead_over_the_runner_up_after_every_token(
        [Values] WeightFormat format, [Values] bool quantizeHead)
    {
        var options = new PipelineOptions { Load = new LoadOptions { WeightFormat = format, QuantizeHead = quantizeHead && format != WeightFormat.AsStored } };
        using var explainer = ModelExplainer.Load(TestData.Model("demo-codegen"), options);
        ModelExplanation explanation = explainer.Explain(Code);
        Assert.That(explanation.Predictions, Has.Count.EqualTo(explanation.Tokens.Count));
        foreach (ExplainedPrediction prediction in explanation.Predictions)
        {
            Attribution attribution = prediction.Attribution;
            Assert.That(attribution.Method, Is.EqualTo(AttributionMethod.Direct));
            Assert.That(attribution.Effects, Has.Count.EqualTo(2 + 4 * (4 + 1)));
            Assert.That(attribution.Value, Is.EqualTo(prediction.Candidates[0].Logit - prediction.Candidates[1].Logit));
            // Of the logits' size, as everywhere. A head in Int8 reads the hidden state with 16 bits, one in Int4 with 8 (docs/adr/0006): 0.6 % of each
            // product.
            double largest = prediction.Candidates.Max(candidate => Math.Abs(candidate.Logit)),
                within = format == WeightFormat.Int4 && quantizeHead ? 1e-2 : 1e-4;
            Assert.That(attribution.Effects.Sum(effect => effect.Effect), Is.EqualTo(attribution.Value).Within(within * largest),
                $"token {prediction.Position}");
        }
    }

    [Test]
    public void The_last_row_of_the_logit_lens_is_the_models_own_prediction()
    {
        ModelExplanation code = _decoder.Explain(Code), php = _encoder.Explain(Php);
        foreach (ModelExplanation explanation in new[] { code, php })
        {
            Assert.That(explanation.LogitLens, Has.Count.EqualTo(5));
            foreach (ExplainedPrediction prediction in explanation.Predictions)
                AssertSame(explanation.LogitLens[^1][prediction.Position], [.. prediction.Candidates.Take(5)]);
        }
    }

    [Test]
    public void The_logit_lens_of_an_encoders_layer_is_its_head_on_that_layers_output()
    {
        ModelExplanation explanation = _encoder.Explain(Php);
        using Session session = _encoder.Model.CreateSession();
        var model = (RobertaForMaskedLM)_encoder.Model;
        MaskedLMOutput output = model.Forward(ModelInputs.Of([.. explanation.Tokens.Select(token => token.TokenId)]), session,
            new ForwardOptions { OutputHiddenStates = true });
        FloatTensor logits = model.Logits(new FloatTensor(output.HiddenStates![2].ToArray(), "hidden_states.2", explanation.Tokens.Count, 256), session);
        for (int token = 0; token < explanation.Tokens.Count; token++)
            Assert.That(explanation.LogitLens[2][token][0].TokenId, Is.EqualTo(logits.Row(token).ToArray().Index().MaxBy(score => score.Item).Index));
    }

    [Test]
    public void Attentions_and_norms_are_those_of_a_forward_pass()
    {
        ModelExplanation explanation = _decoder.Explain(Code);
        using Session session = _decoder.Model.CreateSession();
        var model = (CodeGenForCausalLM)_decoder.Model;
        int[] ids = [.. explanation.Tokens.Select(token => token.TokenId)];
        CausalLMOutput output = model.Forward(ids, session, new ForwardOptions { OutputAttentions = true, OutputHiddenStates = true });
        for (int layer = 0; layer < 4; layer++)
        {
            Assert.That(explanation.Attentions[layer].Shape.ToArray(), Is.EqualTo(new[] { 4, ids.Length, ids.Length }));
            Assert.That(explanation.Attentions[layer].ToArray(), Is.EqualTo(output.Attentions![layer].ToArray()));
            for (int token = 0; token < ids.Length; token++)
                Assert.That(explanation.ResidualNorms[layer, token],
                    Is.EqualTo(Math.Sqrt(output.HiddenStates![layer].Row(token).ToArray().Sum(x => (double)x * x))).Within(1e-4));
        }
        // transformers' last hidden state is after ln_f; the stream is longer.
        Assert.That(explanation.ResidualNorms.Shape.ToArray(), Is.EqualTo(new[] { 5, ids.Length }));
        Assert.That(explanation.ResidualNorms[4, ids.Length - 1], Is.GreaterThan(explanation.ResidualNorms[3, ids.Length - 1]));
    }

    [Test]
    public void The_effect_of_an_encoders_head_is_what_a_head_mask_takes_from_the_answers_logit([Values(0, 3)] int layer, [Values(0, 2)] int head)
    {
        ModelExplanation explanation = _encoder.Explain(Php);
        var factors = new float[16];
        Array.Fill(factors, 1);
        factors[layer * 4 + head] = 0;
        int[] ids = [.. explanation.Tokens.Select(token => token.TokenId)];
        using Session session = _encoder.Model.CreateSession();
        var inputs = new ModelInputs(1, ids.Length) { InputIds = ids, HeadMask = new FloatTensor(factors, "head_mask", 4, 4) };
        FloatTensor logits = ((MaskedLMOutput)_encoder.Model.Forward(inputs, session)).Logits;
        foreach (ExplainedPrediction prediction in explanation.Predictions)
        {
            TokenCandidate answer = prediction.Candidates[0];
            PartEffect effect = prediction.Attribution.Effects.Single(one => one.Part == ModelPart.Head && one.Layer == layer && one.Head == head);
            Assert.That(prediction.Attribution.Method, Is.EqualTo(AttributionMethod.Ablation));
            Assert.That(prediction.Attribution.Value, Is.EqualTo(answer.Logit));
            Assert.That(effect.Effect, Is.EqualTo(answer.Logit - logits[0, prediction.Position, answer.TokenId]).Within(1e-4));
        }
    }

    [Test]
    public void Without_its_mlp_a_layer_gives_the_norm_of_its_attention_alone()
    {
        const string layer = "roberta.encoder.layer.2";
        ModelExplanation explanation = _encoder.Explain(Php);
        ModelInputs inputs = ModelInputs.Of([.. explanation.Tokens.Select(token => token.TokenId)]);
        using Session session = _encoder.Model.CreateSession();
        FloatTensor attention = TraceOne(session, inputs, $"{layer}.attention.output");
        for (int token = 0; token < explanation.Tokens.Count; token++)
            LayerNorm(attention.Row(token), WeightOf($"{layer}.output.LayerNorm.weight"), WeightOf($"{layer}.output.LayerNorm.bias"));
        using ActivationTrace changed = session.Trace(new TraceOptions { Names = [], Interventions = [Intervention.Replace(layer, attention)] });
        FloatTensor logits = ((MaskedLMOutput)_encoder.Model.Forward(inputs, session)).Logits;
        ExplainedPrediction prediction = explanation.Predictions[0];
        PartEffect effect = prediction.Attribution.Effects.Single(one => one.Part == ModelPart.Mlp && one.Layer == 2);
        Assert.That(effect.Effect, Is.EqualTo(prediction.Candidates[0].Logit - logits[0, prediction.Position, prediction.Candidates[0].TokenId]).Within(1e-3));
    }

    [Test]
    public void Models_of_BERT_are_explained_too()
    {
        using BertForMaskedLM masked = TestData.Tiny<BertForMaskedLM>(8200);
        using BertForPreTraining preTraining = TestData.Tiny<BertForPreTraining>(8200);
        foreach (PretrainedModel model in new PretrainedModel[] { masked, preTraining })
        {
            using var explainer = ModelExplainer.Create(model, TestData.Tokenizer("wordpiece-code-4k"));
            ModelExplanation explanation = explainer.Explain("import [MASK]");
            ExplainedPrediction prediction = explanation.Predictions.Single();
            AssertSame(explanation.LogitLens[^1][prediction.Position], [.. prediction.Candidates.Take(5)]);
            Assert.That(prediction.Attribution.Effects.Select(effect => (effect.Part, effect.Layer, effect.Head)), Is.EqualTo(new[]
            {
                (ModelPart.Head, 0, 0), (ModelPart.Head, 0, 1), (ModelPart.Mlp, 0, -1), (ModelPart.Head, 1, 0), (ModelPart.Head, 1, 1), (ModelPart.Mlp, 1, -1),
            }));
            Assert.That(prediction.Attribution.Effects.Select(effect => effect.Effect), Has.None.Zero);
        }
    }

    [Test]
    public void An_encoder_explains_every_mask_with_the_scores_of_fill_mask()
    {
        using var fillMask = FillMaskPipeline.Load(TestData.Model("demo-fill-mask"));
        IReadOnlyList<FilledMask> masks = fillMask.PredictMasks([Php], new FillMaskOptions { TopK = 20 })[0].Masks;
        ModelExplanation explanation = _encoder.Explain(Php);
        Assert.That(explanation.Predictions, Has.Count.EqualTo(2));
        for (int mask = 0; mask < 2; mask++)
        {
            Assert.That(explanation.Tokens[explanation.Predictions[mask].Position].TokenText, Is.EqualTo("<mask>"));
            Assert.That(explanation.Predictions[mask].Candidates.Select(one => one.TokenId), Is.EqualTo(masks[mask].Predictions.Select(one => one.TokenId)));
            double[] scores = [.. masks[mask].Predictions.Select(one => (double)one.Score)];
            Assert.That(explanation.Predictions[mask].Candidates.Select(one => one.Probability), Is.EqualTo(scores).Within(1e-5));
        }
    }

    [Test]
    public void Steps_write_what_greedy_generation_writes_and_the_cache_grows_by_a_token_each()
    {
        using var generator = TextGenerator.Load(TestData.Model("demo-codegen"));
        ModelExplanation explanation = _decoder.Explain(Code, new ExplanationOptions { Generate = 6 });
        int[] written = [.. generator.GenerateSequences([Code], new GenerationOptions { MaxNewTokens = 6 }).Sequences[0].TokenIds];
        Assert.That(explanation.Steps.Select(step => step.Chosen.TokenId), Is.EqualTo(written));
        int tokens = explanation.Tokens.Count;
        Assert.That(explanation.Steps.Select(step => step.Keys), Is.EqualTo(Enumerable.Range(tokens, 6)));
        Assert.That(explanation.Steps.Select(step => step.Read), Is.EqualTo(new[] { tokens, 1, 1, 1, 1, 1 }));
        Assert.That(explanation.KeyValueBytesPerToken, Is.EqualTo(2 * 4 * 256 * 4));           // key and value, layers, n_embd, bytes
        foreach (ExplainedStep step in explanation.Steps)
        {
            Assert.That(step.Attentions, Has.Count.EqualTo(4));
            Assert.That(step.Attentions[0].Shape.ToArray(), Is.EqualTo(new[] { 4, step.Keys }));
            Assert.That(step.Attentions[3].Row(1).ToArray().Sum(), Is.EqualTo(1).Within(1e-4));
        }
    }

    [Test]
    public void The_first_step_is_the_prediction_after_the_text()
    {
        ModelExplanation explanation = _decoder.Explain(Code, new ExplanationOptions { Generate = 1 });
        Assert.That(explanation.Steps, Has.Count.EqualTo(1));
        Assert.That(explanation.Steps[0].Candidates, Is.EqualTo(explanation.Predictions[^1].Candidates));
        int last = explanation.Tokens.Count - 1;
        Assert.That(explanation.Steps[0].Attentions[2].Row(3).ToArray(), Is.EqualTo(explanation.Attentions[2].Row(3 * (last + 1) + last).ToArray()));
    }

    [Test]
    public void Tokens_have_places_in_the_text_and_special_ones_have_none()
    {
        IReadOnlyList<ExplainedToken> tokens = _encoder.Explain("x🙂 = <mask>").Tokens;
        Assert.That((tokens[0].TokenText, tokens[0].Start, tokens[0].End), Is.EqualTo(("<s>", -1, -1)));
        Assert.That((tokens[1].TokenText, tokens[1].Start, tokens[1].End), Is.EqualTo(("x", 0, 1)));
        Assert.That(tokens.Single(token => token.TokenText == "<mask>").End, Is.EqualTo(11));    // the smiley is one character, and two UTF-16 units
    }

    [Test]
    public void A_text_that_is_too_long_is_refused_with_the_limit_and_its_reason()
    {
        string text = string.Concat(Enumerable.Repeat("x = 1\n", 100));
        Assert.That(() => _decoder.Explain(text),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 256").And.Message.Contains("4 · 4 heads").And.Message.Contains("Shorten"));
        Assert.That(() => _decoder.Explain("x", new ExplanationOptions { Generate = 256 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("257 tokens with the 256"));
    }

    [TestCase(4, 4, 512, 256)]
    [TestCase(34, 24, 2048, 202)]               // CodeGen-16B: 34 · 24 · 202² / 2 is just below 16 Mi
    [TestCase(4, 4, 100, 100)]
    public void The_limit_follows_from_the_size_of_the_attention(int layers, int heads, int positions, int most) =>
        Assert.That(ExplanationOptions.MaxTokens(new CodeGenConfig { NLayer = layers, NHead = heads, NPositions = positions }), Is.EqualTo(most));

    [Test]
    public void What_cannot_be_explained_is_refused_with_what_can()
    {
        Assert.That(() => _encoder.Explain("no mask"), Throws.TypeOf<ModelInputException>().With.Message.Contains("no mask").And.Message.Contains("<mask>"));
        Assert.That(() => _encoder.Explain("<mask>", new ExplanationOptions { Generate = 2 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("encoder"));
        Assert.That(() => _decoder.Explain(""), Throws.TypeOf<ModelInputException>().With.Message.Contains("empty"));
        Assert.That(() => _decoder.Explain("x", new ExplanationOptions { TopK = 1 }), Throws.TypeOf<ModelInputException>().With.Message.Contains("TopK is 1"));
        Assert.That(() => ModelExplainer.Load(TestData.Model("demo-language-id")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("RobertaForSequenceClassification").And.Message.Contains("CodeGenForCausalLM"));
    }

    [Test]
    public void Progress_ends_at_its_total_and_cancelling_ends_the_work()
    {
        var told = new List<ExplanationProgress>();
        _encoder.Explain("<mask>", progress: new Listener(told.Add));
        Assert.That(told.Select(one => one.Done), Is.EqualTo(Enumerable.Range(1, 1 + 4 * 5)));
        Assert.That(told.Select(one => one.Total), Is.All.EqualTo(21));

        using var source = new CancellationTokenSource();
        var stopping = new Listener(one => { if (one.Done == 3) source.Cancel(); });
        Assert.That(() => _encoder.Explain("<mask>", progress: stopping, cancellationToken: source.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_head_reads_rows_of_the_hidden_size_only()
    {
        var model = (CodeGenForCausalLM)_decoder.Model;
        using Session session = model.CreateSession();
        Assert.That(() => model.Logits(new FloatTensor("x", 2, 255), session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("x is [2, 255]").And.Message.Contains("[rows, 256]"));
        Assert.That(model.Logits(new FloatTensor("x", 0, 256), session).Shape.ToArray(), Is.EqualTo(new[] { 0, 8192 }));

        using ActivationTrace trace = session.Trace("**");
        model.Logits(new FloatTensor("x", 2, 256), session);
        Assert.That(trace.Passes, Is.Empty, "a head alone is no pass");
    }

    private static void AssertSame(IReadOnlyList<TokenCandidate> lens, IReadOnlyList<TokenCandidate> own)
    {
        Assert.That(lens.Select(one => one.TokenId), Is.EqualTo(own.Select(one => one.TokenId)));
        Assert.That(lens.Select(one => one.Probability), Is.EqualTo(own.Select(one => one.Probability)).Within(1e-5));
    }

    [Test]
    public void Interventions_hold_in_every_pass_of_an_explanation()
    {
        Intervention[] without = [Intervention.ZeroHead("transformer.h.3.attn", 2), new Intervention("transformer.h.1.mlp", mlp => mlp.Span.Clear())];
        ModelExplanation explanation = _decoder.Explain(Code, new ExplanationOptions { Interventions = without, Generate = 3 });
        using Session session = _decoder.Model.CreateSession();
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = without });
        var model = (ICausalLM)_decoder.Model;
        FloatTensor logits = model.Forward([.. explanation.Tokens.Select(token => token.TokenId)], session).Logits;
        for (int step = 0; step < 3; step++)
        {
            ReadOnlySpan<float> last = logits.Row(logits.Length / logits.Shape[^1] - 1);
            foreach (TokenCandidate candidate in explanation.Steps[step].Candidates)
                Assert.That(candidate.Logit, Is.EqualTo(last[candidate.TokenId]).Within(1e-3));
            logits = model.Forward([explanation.Steps[step].Chosen.TokenId], session).Logits;
        }
        Assert.That(explanation.Predictions[^1].Candidates[0].Logit, Is.Not.EqualTo(_decoder.Explain(Code).Predictions[^1].Candidates[0].Logit).Within(0.1));
        // What is switched off pushes nothing, and the rest still sums to the lead.
        Attribution attribution = explanation.Predictions[^1].Attribution;
        Assert.That(attribution.Effects.Single(effect => effect is { Part: ModelPart.Head, Layer: 3, Head: 2 }).Effect, Is.Zero);
        Assert.That(attribution.Effects.Single(effect => effect is { Part: ModelPart.Mlp, Layer: 1 }).Effect, Is.Zero);
        Assert.That(attribution.Effects.Sum(effect => effect.Effect), Is.EqualTo(attribution.Value).Within(1e-3));
    }

    [Test]
    public void An_encoder_without_a_head_loses_nothing_when_the_head_is_removed()
    {
        var options = new ExplanationOptions { Interventions = [Intervention.ZeroHead("roberta.encoder.layer.2.attention.self", 1)] };
        ModelExplanation explanation = _encoder.Explain(Php, options);
        // To the last bits: here the head computes all tokens, there the masks alone.
        Assert.That(explanation.Predictions[0].Attribution.Effects.Single(effect => effect is { Layer: 2, Head: 1 }).Effect, Is.Zero.Within(1e-5));
        Assert.That(explanation.Predictions[0].Candidates[0].Logit, Is.Not.EqualTo(_encoder.Explain(Php).Predictions[0].Candidates[0].Logit).Within(1e-3));
    }

    private FloatTensor TraceOne(Session session, ModelInputs inputs, string name)
    {
        using ActivationTrace trace = session.Trace(name);
        _encoder.Model.Forward(inputs, session);
        return trace[name];
    }

    private float[] WeightOf(string name)
    {
        Weight weight = _encoder.Model.Weights.Single(one => one.Name == name);
        var values = new float[256];
        weight.CopyTo(values);
        return values;
    }

    private static void LayerNorm(Span<float> x, float[] weight, float[] bias)
    {
        double mean = x.ToArray().Average(value => (double)value), variance = x.ToArray().Average(value => (value - mean) * (value - mean));
        for (int i = 0; i < x.Length; i++)
            x[i] = (float)((x[i] - mean) / Math.Sqrt(variance + 1e-5) * weight[i] + bias[i]);
    }

    private sealed class Listener(Action<ExplanationProgress> tell) : IProgress<ExplanationProgress>
    {
        public void Report(ExplanationProgress value) => tell(value);
    }
}
