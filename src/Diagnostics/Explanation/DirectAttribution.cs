namespace ManagedTransformers.Diagnostics;

/// <summary>What each part of a decoder itself adds to logit(answer) − logit(runner-up): the stream before ln_f is the embedding plus the outputs of all heads
/// and MLPs.</summary>
/// <remarks>The heads' shares are an attention's output but for a bias of its projection.</remarks>
internal sealed class DirectAttribution(ICausalLM model, ExplanationRun run)
{
    // [heads, tokens, n_embd] of a layer of a model of 16 billion weights are 150 MB: such layers are looked at one by one, in a pass each.
    private const long MostHeadBytes = 256 << 20;
    private readonly PretrainedConfig _config = model.Config;

    public int Passes => LayerGroups().Count();

    /// <summary>The effects after every token.</summary>
    /// <param name="streams">The residual stream after the embedding and after each block, [tokens, n_embd].</param>
    /// <param name="candidates">What the model predicts after every token, best first.</param>
    public Attribution[] Effects(FloatTensor[] streams, TokenCandidate[][] candidates)
    {
        var effects = new List<PartEffect>[candidates.Length];
        for (int token = 0; token < effects.Length; token++)
        {
            float embedding = Shares(streams[0].Row(token), streams[^1].Row(token), candidates[token], out float constant)[0];
            effects[token] = [new PartEffect(ModelPart.Embedding, -1, -1, embedding), new PartEffect(ModelPart.Bias, -1, -1, constant)];
        }
        foreach (int[] layers in LayerGroups())
        {
            TracedPass pass = Read(layers);
            foreach (int layer in layers)
                AddLayer(layer, pass, streams[^1], candidates, effects);
        }
        return [.. effects.Select((list, token) => new Attribution(AttributionMethod.Direct, candidates[token][0].Logit - candidates[token][1].Logit, list))];
    }

    private void AddLayer(int layer, TracedPass pass, FloatTensor stream, TokenCandidate[][] candidates, List<PartEffect>[] effects)
    {
        FloatTensor heads = pass[HeadsOf(layer)], mlp = pass[MlpOf(layer)];           // [1, heads, tokens, n_embd], [1, tokens, n_embd]
        for (int token = 0; token < effects.Length; token++)
        {
            float[] parts = [.. Enumerable.Range(0, _config.Heads).SelectMany(head => heads.Row(head * effects.Length + token).ToArray()), .. mlp.Row(token)];
            float[] shares = Shares(parts, stream.Row(token), candidates[token], out _);
            for (int head = 0; head < _config.Heads; head++)
                effects[token].Add(new PartEffect(ModelPart.Head, layer, head, shares[head]));
            effects[token].Add(new PartEffect(ModelPart.Mlp, layer, -1, shares[^1]));
        }
    }

    private float[] Shares(ReadOnlySpan<float> parts, ReadOnlySpan<float> stream, TokenCandidate[] candidates, out float constant)
    {
        var rows = new FloatTensor(parts.ToArray(), "parts", parts.Length / _config.HiddenWidth, _config.HiddenWidth);
        return model.LogitShares(rows, stream, candidates[0].TokenId, candidates[1].TokenId, out constant);
    }

    /// <summary>Runs the text once more and keeps what some layers' heads and MLPs put out; no scores are computed.</summary>
    private TracedPass Read(int[] layers)
    {
        run.ThrowIfCancelled();
        using Session session = model.CreateSession(new SessionOptions { MaxLength = run.Ids.Length });
        string[] names = [.. layers.SelectMany(layer => new[] { HeadsOf(layer), MlpOf(layer) })];
        using ActivationTrace trace = run.Trace(session, names);
        model.Forward(run.Inputs, session, new ForwardOptions { LogitsAt = [] });
        run.PassDone();
        return trace.Passes[0];
    }

    private IEnumerable<int[]> LayerGroups()
    {
        long bytes = (long)_config.Heads * run.Ids.Length * _config.HiddenWidth * sizeof(float);
        return Enumerable.Range(0, _config.Layers).Chunk((int)Math.Clamp(MostHeadBytes / bytes, 1, _config.Layers));
    }

    private string HeadsOf(int layer) => $"{model.Paths.Attention(layer)}.head_outputs";

    private string MlpOf(int layer) => model.Paths.Mlp(layer);
}
