namespace ManagedTransformers;

/// <summary>One call of generate from prompts to texts.</summary>
internal static class GenerationRun
{
    /// <summary>Continues the prompts of a plan; a session that has read the one prompt already is the <paramref name="beginning"/>.</summary>
    public static GenerationOutput Run(GenerationPlan plan, IProgress<int>? progress, CancellationToken cancellationToken, Session? beginning = null)
    {
        if (plan.Prompts.Count == 0)
            return new GenerationOutput([], new GenerationUsage());
        if (plan.Beams > 1)
            return SearchBeams(plan, progress, beginning, cancellationToken);
        using var search = new TokenSearch(plan);
        if (beginning is not null)
            search.Begin(beginning, plan.Prompts[0]);
        while (search.MoveNext(cancellationToken))
            progress?.Report(search.Ended);
        return new GenerationOutput([.. search.Rows.Select(row => ResultOf(row, plan))], search.Usage);
    }

    public static GeneratedSequence ResultOf(SearchRow row, GenerationPlan plan)
    {
        int[] tokens = row.Generated.ToArray();
        string text = CompletedText.Of(tokens, row.Prompt, plan);
        return new GeneratedSequence(row.Prompt.Index, tokens, text, row.FinishReason!.Value) { LogProbabilities = row.LogProbabilities };
    }

    private static GenerationOutput SearchBeams(GenerationPlan plan, IProgress<int>? progress, Session? beginning, CancellationToken cancellationToken)
    {
        var (sequences, usage) = (new List<GeneratedSequence>(), new GenerationUsage());
        long start = Stopwatch.GetTimestamp();
        foreach (SearchPrompt prompt in plan.Prompts)
        {
            using var search = new BeamSearch(prompt, plan, start, beginning);
            while (search.MoveNext(cancellationToken))
                progress?.Report(sequences.Count);
            prompt.Scores = null;
            foreach (BeamHypothesis found in search.Results)
            {
                // Of several end tokens transformers writes the first, whichever came.
                int[] tokens = found.FinishReason == FinishReason.EndToken ? [.. found.Tokens, plan.EosTokenId[0]] : found.Tokens;
                sequences.Add(new GeneratedSequence(prompt.Index, tokens, CompletedText.Of(tokens, prompt, plan), found.FinishReason) { Score = found.Score });
                search.Usage.NewTokens += tokens.Length;
            }
            usage.Add(search.Usage);
            progress?.Report(sequences.Count);
        }
        return new GenerationOutput(sequences, usage);
    }
}
