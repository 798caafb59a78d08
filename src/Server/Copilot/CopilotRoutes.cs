namespace ManagedTransformers.Server;

/// <summary>What fauxpilot has for GitHub Copilot: completions by engine, and a token that is none.</summary>
internal static class CopilotRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("POST", "/v1/engines/{engine}/completions", OpenAIProtocol.Instance, request => CompletionRoute.AnswerAsync(request, named: false)),
        new("GET", "/copilot_internal/v2/token", OpenAIProtocol.Instance, TokenAsync),
    ];

    // The numbers are fauxpilot's: a token that does not end before 2052.
    private static Task TokenAsync(ApiRequest request) => request.WriteAsync(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("token", "1");
        writer.WriteNumber("expires_at", 2_600_000_000);
        writer.WriteNumber("refresh_in", 900);
        writer.WriteEndObject();
    });
}
