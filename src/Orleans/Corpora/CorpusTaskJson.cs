using System.Text.Json;
using System.Text.Json.Serialization;

namespace ManagedTransformers.Orleans;

/// <summary>The options of a task as text, and the task that a silo makes of them. What is null stays out, so that silos of another version can read what they
/// know.</summary>
internal static class CorpusTaskJson
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    public static string Write<T>(T options) => JsonSerializer.Serialize(options, s_json);

    /// <summary>The task with the pipelines of a model.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="model">The model; it must outlive the task.</param>
    /// <param name="own">What is to be disposed after the task.</param>
    /// <exception cref="ModelInputException">The model cannot do it, or there is an option that this version does not have.</exception>
    public static CorpusTask Open(CorpusJobRequest request, ModelLease model, out IDisposable? own)
    {
        own = null;
        switch (request.Task)
        {
            case "embed":
                return CorpusTask.Embed(Find<SentenceEmbeddingPipeline>(request, model), Read<EmbeddingOptions>(request));
            case "classify":
                return CorpusTask.Classify(Find<TextClassificationPipeline>(request, model), Read<TextClassificationOptions>(request));
            case "tag":
                return CorpusTask.Tag(Find<TokenClassificationPipeline>(request, model), Read<TokenClassificationOptions>(request));
            case "score" when model.Generation is not null:
                var scorer = TextScorer.Create(model.Generation.Generator);
                own = scorer;
                return CorpusTask.Score(scorer, Read<ScoringOptions>(request), request.Context);
            default:
                throw Cannot(request);
        }
    }

    private static T Find<T>(CorpusJobRequest request, ModelLease model) where T : EncoderPipeline => model.Encoder?.Find<T>() ?? throw Cannot(request);

    private static T Read<T>(CorpusJobRequest request)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(request.Options, s_json)!;
        }
        catch (JsonException e)
        {
            throw new ModelInputException($"The options of a job cannot be read: {e.Message} Give caller and silos the same version.", e);
        }
    }

    private static ModelInputException Cannot(CorpusJobRequest request) =>
        new($"The model {request.Model} cannot {request.Task}. Name one whose class is made for that.");
}
