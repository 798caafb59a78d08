namespace ManagedTransformers.Diagnostics;

/// <summary>Writes tokens after a text that the session has read, the likeliest each time, and keeps what each pass looked at.</summary>
internal sealed class GreedySteps(ICausalLM model, ExplanationRun run, Session session)
{
    /// <summary>The steps; fewer than asked for where an end token comes. The first is of the pass that read the text: its candidates, and its attention by
    /// layer, [heads, tokens, tokens].</summary>
    public List<ExplainedStep> Explain(TokenCandidate[] first, FloatTensor[] attentions, IReadOnlyList<int> endTokens)
    {
        var steps = new List<ExplainedStep>();
        if (run.Options.Generate == 0)
            return steps;
        int tokens = run.Ids.Length;
        steps.Add(Step(tokens, first, [.. attentions.Select(layer => LastQuery(layer, tokens, tokens))]));
        while (steps.Count < run.Options.Generate && !endTokens.Contains(steps[^1].Chosen.TokenId))
        {
            run.ThrowIfCancelled();
            CausalLMOutput output = model.Forward([steps[^1].Chosen.TokenId], session, new ForwardOptions { OutputAttentions = true });
            TokenCandidate[] candidates = run.Candidates(output.Logits.Row(0), run.Options.TopK, model);
            steps.Add(Step(1, candidates, [.. output.Attentions!.Select(layer => LastQuery(layer, 1, session.Cache!.Length(0)))]));
            run.PassDone();
        }
        return steps;
    }

    private ExplainedStep Step(int read, TokenCandidate[] candidates, FloatTensor[] attentions) =>
        new(read, attentions[0].Shape[1], candidates, run.Token(candidates[0].TokenId), attentions);

    /// <summary>[heads, queries, keys] → [heads, keys] of the last query.</summary>
    public static FloatTensor LastQuery(FloatTensor layer, int queries, int keys)
    {
        int heads = layer.Length / (queries * keys);
        var last = new FloatTensor(layer.Name, heads, keys);
        for (int head = 0; head < heads; head++)
            layer.Span.Slice((head * queries + queries - 1) * keys, keys).CopyTo(last.Row(head));
        return last;
    }
}
