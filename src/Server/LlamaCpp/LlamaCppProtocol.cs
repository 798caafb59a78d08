namespace ManagedTransformers.Server;

/// <summary>Errors as llama.cpp's server has them, which the server's own routes have as well.</summary>
internal sealed class LlamaCppProtocol : Protocol
{
    public static LlamaCppProtocol Instance { get; } = new();

    public override byte[] Body(ApiException error) => ApiRequest.Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartObject("error");
        writer.WriteNumber("code", Status(error.Problem));
        writer.WriteString("message", error.Message);
        writer.WriteString("type", TypeOf(error.Problem));
        if (error.Tokens is (int prompt, int context))
        {
            writer.WriteNumber("n_prompt_tokens", prompt);
            writer.WriteNumber("n_ctx", context);
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }).ToArray();

    private static string TypeOf(Problem problem) => problem switch
    {
        Problem.TooLong => "exceed_context_size_error",
        Problem.Unauthorized => "authentication_error",
        Problem.NotFound => "not_found_error",
        Problem.NotSupported => "not_supported_error",
        Problem.Unavailable or Problem.Overloaded => "unavailable_error",
        Problem.Timeout or Problem.Server => "server_error",
        _ => "invalid_request_error",
    };
}
