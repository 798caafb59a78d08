namespace ManagedTransformers.Extensions.AI;

/// <summary>What a kind of pipeline is called, how it is loaded, and what makes it warm.</summary>
/// <param name="Type">Its class.</param>
/// <param name="Task">Its name in a configuration: the pipeline's of transformers where it has one.</param>
/// <param name="Operation">gen_ai.operation.name.</param>
/// <param name="Load">Opens a directory.</param>
/// <param name="WarmUp">A short call, with the options that calls will have.</param>
internal sealed record PipelineKind(
    Type Type, string Task, string Operation, Func<string, PipelineOptions?, Pipeline> Load, Action<Pipeline, HostedModelOptions> WarmUp)
{
    private const string Text = "def f(x): return x";

    public static IReadOnlyList<PipelineKind> All { get; } =
    [
        Of("sentence-embedding", "embeddings", SentenceEmbeddingPipeline.Load, (pipeline, options) => pipeline.Embed(Text, options.Embedding)),
        Of("feature-extraction", "feature_extraction", FeatureExtractionPipeline.Load, (pipeline, _) => pipeline.Extract(Text)),
        Of("fill-mask", "fill_mask", FillMaskPipeline.Load, (pipeline, _) => pipeline.Predict($"{Text} {pipeline.MaskToken}")),
        Of("text-classification", "text_classification", TextClassificationPipeline.Load, (pipeline, _) => pipeline.Classify(Text)),
        Of("token-classification", "token_classification", TokenClassificationPipeline.Load, (pipeline, _) => pipeline.Tag(Text)),
        Of("text-ranking", "text_ranking", RerankPipeline.Load, (pipeline, _) => pipeline.Rank(Text, [Text])),
        Of("next-sentence", "next_sentence", NextSentencePipeline.Load, (pipeline, _) => pipeline.Score(Text, Text)),
        Of("text-generation", "text_completion", TextGenerator.Load, (pipeline, _) => pipeline.Generate(Text, new GenerationOptions { MaxNewTokens = 2 })),
        Of("text-scoring", "text_scoring", TextScorer.Load, (pipeline, _) => pipeline.Score(Text)),
    ];

    /// <exception cref="NotSupportedException">It is none of the pipelines.</exception>
    public static PipelineKind Of<TPipeline>() => All.FirstOrDefault(kind => kind.Type == typeof(TPipeline))
        ?? throw new NotSupportedException($"{typeof(TPipeline)} is no pipeline that can be a service; " +
            $"there are {string.Join(", ", All.Select(kind => kind.Type.Name))}.");

    private static PipelineKind Of<TPipeline>(
        string task, string operation, Func<string, PipelineOptions?, TPipeline> load, Action<TPipeline, HostedModelOptions> warmUp)
        where TPipeline : Pipeline =>
        new(typeof(TPipeline), task, operation, load, (pipeline, options) => warmUp((TPipeline)pipeline, options));
}
