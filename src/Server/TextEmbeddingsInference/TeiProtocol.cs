namespace ManagedTransformers.Server;

/// <summary>Errors in the form of text-embeddings-inference: what went wrong, and of which kind.</summary>
internal sealed class TeiProtocol : Protocol
{
    public static TeiProtocol Instance { get; } = new();

    public override int Status(Problem problem) => problem switch
    {
        Problem.Invalid or Problem.TooLong => StatusCodes.Status422UnprocessableEntity,
        Problem.NotSupported or Problem.Server => StatusCodes.Status424FailedDependency,
        _ => base.Status(problem),
    };

    public override byte[] Body(ApiException error) => ApiRequest.Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("error", error.Message);
        writer.WriteString("error_type", TypeOf(error));
        writer.WriteEndObject();
    }).ToArray();

    private static string TypeOf(ApiException error) => error.Problem switch
    {
        Problem.Invalid when error.InnerException is TokenizerException => "Tokenizer",
        Problem.Invalid or Problem.TooLong or Problem.TooLarge or Problem.NotFound or Problem.Method => "Validation",
        Problem.Empty => "Empty",
        Problem.Overloaded => "Overloaded",
        Problem.Unavailable => "Unhealthy",
        Problem.Unauthorized => "Unauthorized",
        Problem.Timeout => "Timeout",
        _ => "Backend",
    };
}
