namespace ManagedTransformers.Server;

/// <summary>The routes of text-embeddings-inference. Its server has one model; here each task is the first model's that can do it, or that of the field
/// <c>model</c>. POST /tokenize, which llama.cpp has too, is among its routes.</summary>
internal static class TeiRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("POST", "/embed", TeiProtocol.Instance, TeiEmbedRoute.EmbedAsync),
        new("POST", "/embed_all", TeiProtocol.Instance, TeiEmbedRoute.EmbedAllAsync),
        new("POST", "/similarity", TeiProtocol.Instance, TeiEmbedRoute.CompareAsync),
        new("POST", "/predict", TeiProtocol.Instance, TeiPredictRoute.AnswerAsync),
        new("POST", "/rerank", TeiProtocol.Instance, TeiRerankRoute.AnswerAsync),
        new("POST", "/decode", TeiProtocol.Instance, TeiTokenRoutes.DecodeAsync),
        new("GET", "/info", TeiProtocol.Instance, TeiInfoRoute.AnswerAsync),
    ];
}
