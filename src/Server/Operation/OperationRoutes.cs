using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ManagedTransformers.Server;

/// <summary>For those who run a server: whether it lives and takes requests, without a key, and what it measured and does.</summary>
internal static class OperationRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("GET", "/health", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/v1/health", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/readyz", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/livez", LlamaCppProtocol.Instance, OkAsync) { IsOpen = true },
        new("GET", "/metrics", LlamaCppProtocol.Instance, MetricsRoute.AnswerAsync),
        new("GET", "/status", LlamaCppProtocol.Instance, StatusRoute.AnswerAsync),
        new("GET", "/openapi.json", LlamaCppProtocol.Instance,
            request => request.WriteAsync(writer => OpenApiDescription.Write(writer, request.Http.Request.Path))) { IsOpen = true },
    ];

    private static Task ReadyAsync(ApiRequest request)
    {
        var lifetime = request.Http.RequestServices.GetService<IHostApplicationLifetime>();
        if (lifetime?.ApplicationStopping.IsCancellationRequested == true)
            throw new ApiException(Problem.Unavailable, "The server is stopping.");
        return request.Models.IsReady ? OkAsync(request) : throw new ApiException(Problem.Unavailable, "Loading model");
    }

    private static Task OkAsync(ApiRequest request) => request.WriteAsync(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("status", "ok");
        writer.WriteEndObject();
    });
}
