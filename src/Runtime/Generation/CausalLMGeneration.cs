using ManagedTransformers.Models;

namespace ManagedTransformers;

/// <summary>Generation on token ids, for models without a tokenizer: transformers' <c>model.generate</c>.</summary>
public static class CausalLMGeneration
{
    // Rows of one KV cache; more prompts than this are taken in turn.
    private const int MaxBatchRows = 16;

    /// <summary>Continues prompts greedily.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, of any lengths, without padding.</param>
    /// <param name="options">Limits and end tokens; config.json's eos_token_id where null.</param>
    /// <param name="progress">Told after every token how many prompts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new tokens of each prompt, its end token included where one came.</returns>
    /// <exception cref="ModelInputException">A prompt is empty or too long, or has an id outside the vocabulary; or the options contradict each
    /// other.</exception>
    public static IReadOnlyList<int[]> Generate(
        this CodeGenForCausalLM model,
        IReadOnlyList<int[]> prompts,
        GenerationOptions? options = null,
        IProgress<int>? progress = null,
        CancellationToken cancellationToken = default) =>
        Generate(model, prompts, options ?? GenerationOptions.Default, GenerationOptions.Default, progress, cancellationToken);

    internal static IReadOnlyList<int[]> Generate(
        CodeGenForCausalLM model,
        IReadOnlyList<int[]> prompts,
        GenerationOptions options,
        GenerationOptions defaults,
        IProgress<int>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompts);
        if (prompts.Count == 0)
            return [];
        int empty = prompts.ToList().FindIndex(prompt => prompt.Length == 0);
        if (empty >= 0)
            throw new ModelInputException($"Prompt {empty} has no tokens; at least one is needed. To generate from nothing, " +
                "start with the beginning-of-text token.");
        StoppingCriteria stop = StoppingCriteria.Of(options, defaults, model.Config, prompts.Max(prompt => prompt.Length));
        var generated = new int[prompts.Count][];
        int done = 0;
        // Prompts of like length share a batch, so that their rows take like time.
        foreach (int[] batch in Enumerable.Range(0, prompts.Count).OrderByDescending(i => prompts[i].Length).Chunk(MaxBatchRows))
        {
            using var search = new GreedySearch(model, [.. batch.Select(i => prompts[i])], stop);
            while (search.MoveNext(cancellationToken))
                progress?.Report(done + search.Ended);
            for (int row = 0; row < batch.Length; row++)
                generated[batch[row]] = [.. search.Generated(row)];
            done += batch.Length;
        }
        return generated;
    }
}
