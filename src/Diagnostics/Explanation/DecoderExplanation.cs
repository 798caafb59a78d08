namespace ManagedTransformers.Diagnostics;

/// <summary>Explains a decoder: one pass that shows everything, a few more for the outputs of each head, then steps of generation.</summary>
internal sealed class DecoderExplanation(ICausalLM model, ExplanationRun run)
{
    private readonly PretrainedConfig _config = model.Config;

    public ModelExplanation Explain(string text, IReadOnlyList<int> endTokens)
    {
        int tokens = run.Ids.Length;
        var attribution = new DirectAttribution(model, run);
        run.Passes = 1 + attribution.Passes + Math.Max(0, run.Options.Generate - 1);
        using Session session = model.CreateSession(new SessionOptions { MaxLength = tokens + run.Options.Generate });
        (FloatTensor[] streams, CausalLMOutput output) = Read(session);
        FloatTensor logits = model.Logits(streams[^1], session);                      // [tokens, vocab_size]
        using ActivationTrace changes = run.Trace(session);
        TokenCandidate[][] candidates = [.. Enumerable.Range(0, tokens).Select(token => run.Candidates(logits.Row(token), run.Options.TopK, model))];
        Attribution[] attributions = attribution.Effects(streams, candidates);
        FloatTensor[] attentions = [.. output.Attentions!.Select(layer => new FloatTensor(layer.ToArray(), layer.Name, _config.Heads, tokens, tokens))];
        return new ModelExplanation
        {
            Architecture = model.Architecture,
            Config = _config,
            Text = text,
            Tokens = run.Tokens(),
            Attentions = attentions,
            ResidualNorms = ExplanationRun.Norms(streams),
            LogitLens = [.. streams.Select(stream => run.Lens(stream, residual => model.Logits(residual, session), model))],
            Predictions = [.. candidates.Select((all, token) => new ExplainedPrediction(token, all, attributions[token]))],
            Steps = new GreedySteps(model, run, session).Explain(candidates[^1], attentions, endTokens),
            KeyValueBytesPerToken = 2L * _config.Layers * _config.KeyValueHeads * _config.HeadWidth * sizeof(float),
        };
    }

    /// <summary>Reads the text: the residual stream after the embedding and after each block, [tokens, n_embd], and the pass's output.</summary>
    private (FloatTensor[] Streams, CausalLMOutput Output) Read(Session session)
    {
        run.ThrowIfCancelled();
        using ActivationTrace trace = run.Trace(session, model.Paths.Embeddings, model.Paths.Layers);
        CausalLMOutput output = model.Forward(run.Inputs, session, new ForwardOptions { OutputAttentions = true, LogitsAt = [] });
        run.PassDone();
        return ([.. trace.Passes[0].Tensors.Select(stream => new FloatTensor(stream.ToArray(), stream.Name, run.Ids.Length, _config.HiddenWidth))], output);
    }
}
