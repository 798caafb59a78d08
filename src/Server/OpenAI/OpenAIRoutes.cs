namespace ManagedTransformers.Server;

/// <summary>OpenAI's routes for models that go on with texts and give vectors.</summary>
internal static class OpenAIRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("GET", "/v1/models", OpenAIProtocol.Instance, ModelRoutes.ListAsync),
        new("GET", "/models", OpenAIProtocol.Instance, ModelRoutes.ListAsync),
        new("GET", "/v1/models/{**id}", OpenAIProtocol.Instance, ModelRoutes.GetAsync),
        new("POST", "/v1/completions", OpenAIProtocol.Instance, request => CompletionRoute.AnswerAsync(request, named: true)),
        new("POST", "/v1/embeddings", OpenAIProtocol.Instance, EmbeddingRoute.AnswerAsync),
        new("POST", "/v1/fim/completions", OpenAIProtocol.Instance, CompletionRoute.AnswerFimAsync),
        new("POST", "/fim/completions", OpenAIProtocol.Instance, CompletionRoute.AnswerFimAsync),
    ];
}
