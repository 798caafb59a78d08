namespace ManagedTransformers.Diagnostics;

/// <summary>Explains an encoder that fills masks: one pass that shows everything, and one without each head and each MLP.</summary>
internal sealed class EncoderExplanation(IMaskedLM model, ExplanationRun run)
{
    private readonly int _layers = model.Config.Layers;
    private readonly int _heads = model.Config.Heads;

    public ModelExplanation Explain(string text, int[] masks)
    {
        run.Passes = 1 + _layers * (_heads + 1);
        using Session session = model.CreateSession();
        MaskedLMOutput output = Read(session);
        int tokens = run.Ids.Length;
        FloatTensor[] streams = [.. output.HiddenStates!.Select(state => new FloatTensor(state.ToArray(), state.Name, tokens, model.Config.HiddenWidth))];
        FloatTensor logits = output.Logits;                                       // [1, tokens, vocab_size]
        TokenCandidate[][] candidates = [.. masks.Select(mask => run.Candidates(logits.Row(mask), run.Options.TopK, model))];
        Attribution[] attributions = AblationEffects(
            session, masks, [.. candidates.Select(all => all[0].TokenId)], [.. candidates.Select(all => all[0].Logit)]);
        return new ModelExplanation
        {
            Architecture = model.Architecture,
            Config = model.Config,
            Text = text,
            Tokens = run.Tokens(),
            Attentions = [.. output.Attentions!.Select(layer => new FloatTensor(layer.ToArray(), layer.Name, _heads, tokens, tokens))],
            ResidualNorms = ExplanationRun.Norms(streams),
            LogitLens = [.. streams.Select(stream => run.Lens(stream, hidden => model.Logits(hidden, session), model))],
            Predictions = [.. masks.Select((mask, i) => new ExplainedPrediction(mask, candidates[i], attributions[i]))],
        };
    }

    private MaskedLMOutput Read(Session session)
    {
        using ActivationTrace changes = run.Trace(session);
        MaskedLMOutput output = model.Forward(run.Inputs, session, new ForwardOptions { OutputAttentions = true, OutputHiddenStates = true });
        run.PassDone();
        return output;
    }

    /// <summary>What every mask's answer loses when a part's output is zero: one pass for each head and each MLP, in which all masks are looked at.</summary>
    private Attribution[] AblationEffects(Session session, int[] masks, int[] answers, double[] whole)
    {
        var effects = new List<PartEffect>[masks.Length];
        for (int i = 0; i < masks.Length; i++)
            effects[i] = [];
        for (int layer = 0; layer < _layers; layer++)
        {
            for (int head = 0; head < _heads; head++)
                Measure(ModelPart.Head, layer, head, Intervention.ZeroHead(model.Paths.Attention(layer), head));
            Measure(ModelPart.Mlp, layer, -1, new Intervention(model.Paths.Mlp(layer), output => output.Span.Clear()));
        }
        return [.. effects.Select((list, i) => new Attribution(AttributionMethod.Ablation, whole[i], list))];

        void Measure(ModelPart part, int layer, int head, Intervention without)
        {
            FloatTensor logits = LogitsWith(without, session, masks);
            for (int i = 0; i < masks.Length; i++)
                effects[i].Add(new PartEffect(part, layer, head, whole[i] - logits.Row(i)[answers[i]]));
            run.PassDone();
        }
    }

    /// <summary>The masks' scores in a pass with a change, [masks, vocab_size].</summary>
    public FloatTensor LogitsWith(Intervention change, Session session, int[] masks)
    {
        run.ThrowIfCancelled();
        using ActivationTrace trace = session.Trace(new TraceOptions { Names = [], Interventions = [.. run.Options.Interventions, change] });
        return model.Forward(run.Inputs, session, new ForwardOptions { LogitsAt = [.. masks.Select(mask => (0, mask))] }).Logits;
    }
}
