namespace ManagedTransformers.Server;

/// <summary>Errors as Hugging Face's servers answer them: text-generation-inference's two keys, of which clients of tasks read the first.</summary>
internal sealed class HuggingFaceProtocol : Protocol
{
    public static HuggingFaceProtocol Instance { get; } = new();

    public override int Status(Problem problem) => problem is Problem.Invalid or Problem.Empty or Problem.TooLong or Problem.NotSupported
        ? StatusCodes.Status422UnprocessableEntity : base.Status(problem);

    public override byte[] Body(ApiException error) => ApiRequest.Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("error", error.Message);
        writer.WriteString("error_type", error.Problem switch
        {
            Problem.Overloaded => "overloaded",
            Problem.Unavailable => "unhealthy",
            Problem.Unauthorized => "unauthorized",
            Problem.Timeout => "timeout",
            Problem.Server => "generation",
            _ => "validation",
        });
        writer.WriteEndObject();
    }).ToArray();
}

/// <summary>Hugging Face's tasks: the model is in the path, or the server's first that can do what the body asks for.</summary>
internal static class HuggingFaceRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("POST", "/models/{**id}", HuggingFaceProtocol.Instance, HuggingFaceTaskRoute.AnswerAsync),
        new("POST", "/models/{name}/v1/completions", OpenAIProtocol.Instance, CompleteAsync),
        new("POST", "/models/{org}/{name}/v1/completions", OpenAIProtocol.Instance, CompleteAsync),
        new("POST", "/", HuggingFaceProtocol.Instance, HuggingFaceTaskRoute.AnswerAsync),
    ];

    // Where the hub's client for JavaScript generates texts: in OpenAI's form, below the address that it was given.
    private static Task CompleteAsync(ApiRequest request)
    {
        RouteValueDictionary path = request.Http.Request.RouteValues;
        string id = path.TryGetValue("org", out object? org) ? $"{org}/{path["name"]}" : $"{path["name"]}";
        return CompletionRoute.AnswerAsync(request, named: true, id);
    }
}
