namespace ManagedTransformers.Serving;

/// <summary>Reads the texts of many callers: the engine of this process, or those of a cluster.</summary>
internal interface IEncoderEngine
{
    /// <summary>What it can do. In front of a cluster they have no weights: they encode and count.</summary>
    IReadOnlyList<EncoderPipeline> Pipelines { get; }

    /// <summary>How the model is shared.</summary>
    EncoderEngineOptions Options { get; }

    /// <summary>Its pipeline of a kind; null where it has none.</summary>
    T? Find<T>() where T : EncoderPipeline => Pipelines.OfType<T>().FirstOrDefault();

    /// <inheritdoc cref="EncoderEngine.Timed"/>
    IEncoderEngine Timed(EncoderTimes times);

    /// <inheritdoc cref="EncoderEngine.EmbedAsync"/>
    Task<IReadOnlyList<TextEmbedding>> EmbedAsync(
        IReadOnlyList<string> texts, EmbeddingOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="EncoderEngine.ExtractAsync"/>
    Task<IReadOnlyList<FloatTensor>> ExtractAsync(IReadOnlyList<string> texts, bool truncation = false, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="EncoderEngine.FillMaskAsync"/>
    Task<IReadOnlyList<MaskedText>> FillMaskAsync(
        IReadOnlyList<string> texts, FillMaskOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>Classifies texts, or pairs of texts.</summary>
    Task<IReadOnlyList<IReadOnlyList<LabelScore>>> ClassifyAsync(
        IReadOnlyList<(string Text, string? Pair)> pairs, TextClassificationOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="EncoderEngine.TagAsync"/>
    Task<IReadOnlyList<IReadOnlyList<Entity>>> TagAsync(
        IReadOnlyList<string> texts, TokenClassificationOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="EncoderEngine.RankAsync"/>
    Task<IReadOnlyList<RerankScore>> RankAsync(
        string query, IReadOnlyList<string> documents, int? topN, bool truncation, bool? sigmoid, CancellationToken cancellationToken);
}
