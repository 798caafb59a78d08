namespace ManagedTransformers;

/// <summary>Generation on token ids, for models without a tokenizer: transformers' <c>model.generate</c>.</summary>
public static class CausalLMGeneration
{
    /// <summary>Continues prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, of any lengths, without padding.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="defaults">What the checkpoint says (<see cref="GenerationDefaults.Load"/>); it holds where the options are null. Null: config.json's
    /// eos_token_id alone.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <returns>The new tokens of each text, its end token included where one came; num_return_sequences texts for each prompt.</returns>
    /// <exception cref="ModelInputException">A prompt is empty or too long, or has an id outside the vocabulary; or the options contradict each
    /// other, or ask for text, which needs a tokenizer.</exception>
    /// <exception cref="CheckpointException">A score is not a number.</exception>
    public static IReadOnlyList<int[]> Generate(
        this ICausalLM model, IReadOnlyList<int[]> prompts, GenerationOptions? options = null, GenerationOptions? defaults = null,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        [.. model.GenerateSequences(prompts, options, defaults, progress, cancellationToken).Sequences.Select(one => (int[])[.. one.TokenIds])];

    /// <summary>The same with scores of beams, log probabilities, reasons, and what it took.</summary>
    /// <inheritdoc cref="Generate(ICausalLM, IReadOnlyList{int[]}, GenerationOptions?, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public static GenerationOutput GenerateSequences(
        this ICausalLM model, IReadOnlyList<int[]> prompts, GenerationOptions? options = null, GenerationOptions? defaults = null,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        (options, defaults) = (options ?? GenerationOptions.Default, defaults ?? GenerationOptions.Default);
        SearchPrompt[] all = SearchPrompt.Of(prompts, new TextRoom(model.Config, cache: null).PromptTokens(options, defaults));
        return GenerationRun.Run(new GenerationPlan(model, all, options, defaults), progress, cancellationToken);
    }

    /// <summary>Continues a batch as tokenizers lay it out: rows of one length, padded where the mask is 0. Processors see the padding, as in
    /// transformers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputIds">Ids of each row.</param>
    /// <param name="attentionMask">1 where an id is to be read, 0 where it is left out as if it were not there, wherever it stands; null: all are read.
    /// transformers goes on after padding on the right as if it had been read: pad on the left to compare.</param>
    /// <param name="options">Everything that generate() takes.</param>
    /// <param name="defaults">What the checkpoint says; it holds where the options are null. Null: config.json's eos_token_id alone.</param>
    /// <param name="progress">Told after every pass how many texts are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    /// <inheritdoc cref="Generate(ICausalLM, IReadOnlyList{int[]}, GenerationOptions?, GenerationOptions?, IProgress{int}?, CancellationToken)"/>
    public static GenerationOutput GenerateBatch(
        this ICausalLM model, IReadOnlyList<int[]> inputIds, IReadOnlyList<int[]>? attentionMask, GenerationOptions? options = null,
        GenerationOptions? defaults = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        (options, defaults) = (options ?? GenerationOptions.Default, defaults ?? GenerationOptions.Default);
        SearchPrompt[] all = PaddedPrompts.Of(inputIds, attentionMask, new TextRoom(model.Config, cache: null).PromptTokens(options, defaults));
        return GenerationRun.Run(new GenerationPlan(model, all, options, defaults), progress, cancellationToken);
    }
}
