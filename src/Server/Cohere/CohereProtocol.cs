namespace ManagedTransformers.Server;

/// <summary>Errors in Cohere's form: a message.</summary>
internal sealed class CohereProtocol : Protocol
{
    public static CohereProtocol Instance { get; } = new();

    public override int Status(Problem problem) => problem == Problem.NotSupported ? StatusCodes.Status400BadRequest : base.Status(problem);

    public override byte[] Body(ApiException error) => ApiRequest.Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("message", error.Message);
        writer.WriteEndObject();
    }).ToArray();
}

/// <summary>Cohere's routes.</summary>
internal static class CohereRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("POST", "/v1/rerank", CohereProtocol.Instance, async request =>
            await CohereRerankRoute.AnswerAsync(request, await request.ReadAsync().ConfigureAwait(false), "1").ConfigureAwait(false)),
        new("POST", "/v2/rerank", CohereProtocol.Instance, async request =>
            await CohereRerankRoute.AnswerAsync(request, await request.ReadAsync().ConfigureAwait(false), "2").ConfigureAwait(false)),
    ];
}
