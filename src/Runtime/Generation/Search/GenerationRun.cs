using System.Diagnostics;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>One call of generate from prompts to texts.</summary>
internal static class GenerationRun
{
    /// <summary>Continues prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">What to continue.</param>
    /// <param name="plan">How.</param>
    /// <param name="text">Decodes what comes out; null where there is no tokenizer.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <param name="beginning">A session that has read the one prompt; null: it is still to be read.</param>
    public static GenerationOutput Run(
        CodeGenForCausalLM model, IReadOnlyList<SearchPrompt> prompts, GenerationPlan plan, CompletedText? text, IProgress<int>? progress, CancellationToken cancellationToken,
        Session? beginning = null)
    {
        return plan.Beams > 1
            ? SearchBeams(model, prompts, plan, text, progress, cancellationToken, beginning)
            : SearchTokens(model, prompts, plan, text, progress, cancellationToken, beginning);
    }

    /// <summary>The texts of some prompts, those of one prompt side by side.</summary>
    public static SearchRow[] RowsOf(IEnumerable<SearchPrompt> prompts, GenerationPlan plan) =>
        [.. prompts.SelectMany(prompt => Enumerable.Range(0, plan.Sequences).Select(number => new SearchRow(prompt, plan, number)))];

    /// <summary>A row as a result.</summary>
    public static GeneratedSequence ResultOf(SearchRow row, CompletedText? text)
    {
        int[] tokens = row.Generated.ToArray();
        return new GeneratedSequence(row.Prompt.Index, tokens, text?.Of(tokens) ?? "", row.FinishReason!.Value) { LogProbabilities = row.LogProbabilities };
    }

    private static GenerationOutput SearchTokens(
        CodeGenForCausalLM model, IReadOnlyList<SearchPrompt> prompts, GenerationPlan plan, CompletedText? text, IProgress<int>? progress, CancellationToken cancellationToken,
        Session? beginning = null)
    {
        SearchRow[] rows = RowsOf(prompts, plan);
        // Long prompts first: the rows that decode together at the end are then the short ones.
        SearchRow[] order = [.. rows.OrderByDescending(row => row.Prompt.Tokens.Length).ThenBy(row => row.Prompt.Index)];
        using var search = new TokenSearch(model, order, plan, plan.NewDrafter(order));
        if (beginning is not null)
            search.Begin(beginning, prompts[0]);
        while (search.MoveNext(cancellationToken))
            progress?.Report(search.Ended);
        return new GenerationOutput([.. rows.Select(row => ResultOf(row, text))], search.Usage);
    }

    private static GenerationOutput SearchBeams(
        CodeGenForCausalLM model, IReadOnlyList<SearchPrompt> prompts, GenerationPlan plan, CompletedText? text, IProgress<int>? progress, CancellationToken cancellationToken,
        Session? beginning = null)
    {
        var (sequences, usage) = (new List<GeneratedSequence>(), new GenerationUsage());
        long start = Stopwatch.GetTimestamp();
        foreach (SearchPrompt prompt in prompts)
        {
            using var search = new BeamSearch(model, prompt, plan, start, beginning);
            while (search.MoveNext(cancellationToken))
                progress?.Report(sequences.Count);
            prompt.Scores = null;
            foreach (BeamHypothesis found in search.Results)
            {
                // Of several end tokens transformers writes the first, whichever came.
                int[] tokens = found.FinishReason == FinishReason.EndToken ? [.. found.Tokens, plan.EosTokenId[0]] : found.Tokens;
                sequences.Add(new GeneratedSequence(prompt.Index, tokens, text?.Of(tokens) ?? "", found.FinishReason) { Score = found.Score });
                search.Usage.NewTokens += tokens.Length;
            }
            usage.Add(search.Usage);
            progress?.Report(sequences.Count);
        }
        return new GenerationOutput(sequences, usage);
    }
}
