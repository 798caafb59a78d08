namespace ManagedTransformers.Server;

/// <summary>Errors in OpenAI's form; clients need all four keys.</summary>
internal sealed class OpenAIProtocol : Protocol
{
    public static OpenAIProtocol Instance { get; } = new();

    // A model that cannot do it is a wrong request here: clients try again in another way only after a 400.
    public override int Status(Problem problem) => problem == Problem.NotSupported ? StatusCodes.Status400BadRequest : base.Status(problem);

    public override byte[] Body(ApiException error) => ApiRequest.Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartObject("error");
        writer.WriteString("message", error.Message);
        writer.WriteString("type", TypeOf(error.Problem));
        writer.WriteString("param", error.Field);
        writer.WriteString("code", error.Code ?? (error.Problem == Problem.TooLong ? "context_length_exceeded" : null));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }).ToArray();

    private static string TypeOf(Problem problem) => problem switch
    {
        Problem.Unauthorized => "authentication_error",
        Problem.Overloaded => "rate_limit_error",
        Problem.Timeout => "timeout_error",
        Problem.Unavailable or Problem.Server => "server_error",
        _ => "invalid_request_error",
    };
}
