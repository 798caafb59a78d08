using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ManagedTransformers.Server;

/// <summary>Whether the server lives, and whether it takes requests; for probes and balancers, without a key.</summary>
internal static class HealthRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("GET", "/health", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/v1/health", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/readyz", LlamaCppProtocol.Instance, ReadyAsync) { IsOpen = true },
        new("GET", "/livez", LlamaCppProtocol.Instance, OkAsync) { IsOpen = true },
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
