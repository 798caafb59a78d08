namespace ManagedTransformers.Serving;

/// <summary>Generates texts for many callers: the engine of this process, or those of a cluster.</summary>
internal interface IGenerationEngine
{
    /// <summary>The model and its tokenizer. In front of a cluster it has no weights: it encodes, plans and counts.</summary>
    TextGenerator Generator { get; }

    /// <summary>How the model is shared.</summary>
    GenerationEngineOptions Options { get; }

    /// <inheritdoc cref="GenerationEngine.StreamAsync"/>
    IAsyncEnumerable<GenerationUpdate> StreamAsync(GenerationRequest request, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GenerationEngine.GenerateAsync"/>
    Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
        GenerationEngine.ResultOf(StreamAsync(request, cancellationToken), request);

    /// <inheritdoc cref="GenerationEngine.Infill"/>
    GenerationRequest Infill(InfillRequest gap, GenerationOptions? options = null)
    {
        (SearchPrompt prompt, GenerationOptions all) = Generator.Gap(gap, options);
        return new GenerationRequest(prompt.Tokens) { Options = all, Dropped = (prompt.DroppedFiles, prompt.DroppedTokens) };
    }
}
