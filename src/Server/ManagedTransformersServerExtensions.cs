using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>A server of models inside an ASP.NET Core app.</summary>
/// <example><code>
/// var builder = WebApplication.CreateBuilder(args);
/// builder.Services.AddManagedTransformersServer(new ServerOptions { Models = ["models/demo-codegen"] });
/// var app = builder.Build();
/// app.MapManagedTransformers();
/// app.Run();
/// </code></example>
public static class ManagedTransformersServerExtensions
{
    /// <summary>Adds models (a <see cref="ModelHost"/>) and what serves them.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="options">The models, and limits.</param>
    public static IServiceCollection AddManagedTransformersServer(this IServiceCollection services, ServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        services.AddSingleton(options);
        if (options.CorsOrigins.Count > 0)
            services.AddCors();
        services.AddSingleton(_ => new ModelHost(options.ToHost()));
        services.TryAddSingleton<ModelBackend, LocalBackend>();
        services.AddSingleton<ServerModels>();
        services.AddSingleton<ApiRunner>();
        services.AddSingleton<PrometheusMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ModelLoading>());
        return services;
    }

    /// <summary>Adds models and what serves them, as a configuration says: <c>builder.Configuration.GetSection("ManagedTransformers")</c>.</summary>
    /// <inheritdoc cref="ServerConfiguration.GetServerOptions" path="/exception"/>
    public static IServiceCollection AddManagedTransformersServer(this IServiceCollection services, IConfiguration section) =>
        services.AddManagedTransformersServer(section.GetServerOptions());

    /// <summary>Maps the routes of all protocols, and those that say whether the server lives and is ready.</summary>
    /// <param name="app">The app, or a group of its routes. With <see cref="ServerOptions.CorsOrigins"/> it needs <c>app.UseCors()</c> before.</param>
    /// <returns>All of them, to require authorization, CORS or rate limits of the app's own.</returns>
    public static IEndpointConventionBuilder MapManagedTransformers(this IEndpointRouteBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.ServiceProvider.GetRequiredService<PrometheusMetrics>();            // it measures from now on
        RouteGroupBuilder group = app.MapAll(ApiRoutes.All);
        if (app.ServiceProvider.GetRequiredService<ServerOptions>().CorsOrigins is { Count: > 0 } origins)
            group.RequireCors(policy => policy.WithOrigins([.. origins]).AllowAnyHeader().AllowAnyMethod());
        return group;
    }

    /// <summary>Maps a page for people at <c>/</c>: it tries the models, and shows what the queue and the caches do.</summary>
    /// <param name="app">The app, or a group of its routes, with <see cref="MapManagedTransformers"/> in the same place.</param>
    /// <returns>The page and what it is made of; it asks the other routes by itself.</returns>
    public static IEndpointConventionBuilder MapManagedTransformersPage(this IEndpointRouteBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.MapAll(PageRoutes.All);
    }

    /// <summary>Answers what no route takes, in the nearest route's form of an error and with its name. For apps that serve nothing else.</summary>
    /// <param name="app">The app.</param>
    public static IEndpointConventionBuilder MapManagedTransformersFallback(this IEndpointRouteBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.MapFallback("{**path}", UnknownRoute.AnswerAsync);
    }

    private static RouteGroupBuilder MapAll(this IEndpointRouteBuilder app, IEnumerable<ApiRoute> routes)
    {
        ApiRunner runner = app.ServiceProvider.GetRequiredService<ApiRunner>();
        RouteGroupBuilder group = app.MapGroup("");
        foreach (ApiRoute route in routes)
            group.MapMethods(route.Pattern, route.Method == "GET" ? ["GET", "HEAD"] : [route.Method], http => runner.RunAsync(http, route));
        return group;
    }
}
