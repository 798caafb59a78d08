namespace ManagedTransformers.Server;

/// <summary>The routes of llama.cpp's server.</summary>
internal static class LlamaRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        Post("/completion", LlamaCompletionRoute.AnswerAsync),
        Post("/completions", LlamaCompletionRoute.AnswerEitherAsync),
        Post("/infill", LlamaInfillRoute.AnswerAsync),
        Post("/tokenize", LlamaTokenizeRoute.AnswerAsync),
        Post("/detokenize", LlamaTokenizeRoute.AnswerTextAsync),
        Post("/embedding", LlamaEmbeddingRoute.AnswerAsync),
        Post("/embeddings", LlamaEmbeddingRoute.AnswerEitherAsync),
        new("GET", "/props", LlamaCppProtocol.Instance, LlamaStateRoutes.PropsAsync),
        new("GET", "/slots", LlamaCppProtocol.Instance, LlamaStateRoutes.SlotsAsync),
    ];

    /// <summary>The model of a request that any model can answer; where none is named, the first that generates, as llama.cpp's one model would, else the
    /// first.</summary>
    public static Task<ServedModel> AcquireAnyAsync(ApiRequest request, string? model)
    {
        const ModelTasks Any = (ModelTasks)~0;
        bool named = !string.IsNullOrEmpty(model), generates = request.Models.All.Any(one => one.Tasks.HasFlag(ModelTasks.Generation));
        return request.Models.AcquireAsync(model, named || !generates ? Any : ModelTasks.Generation, request.Cancellation);
    }

    private static ApiRoute Post(string pattern, Func<ApiRequest, Task> answer) => new("POST", pattern, LlamaCppProtocol.Instance, answer);
}
