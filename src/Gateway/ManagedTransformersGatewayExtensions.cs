using ManagedTransformers.Gateway;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.Hosting;

/// <summary>The server of an app in front of a cluster.</summary>
/// <example><code>
/// var builder = WebApplication.CreateBuilder(args);
/// builder.UseOrleansClient(client => client.UseLocalhostClustering().AddManagedTransformers());
/// builder.Services.AddManagedTransformersServer(new ServerOptions());
/// builder.UseManagedTransformersCluster();
/// var app = builder.Build();
/// app.MapManagedTransformers();
/// app.Run();
/// </code></example>
public static class ManagedTransformersGatewayExtensions
{
    /// <summary>Lets the routes of <c>AddManagedTransformersServer</c> serve all models of the cluster that the app is a silo or a client of, and none of the
    /// app's own: <c>ServerOptions.Models</c> does not count. Models are those that silos have, in the order of their names; a request that names none gets the
    /// first that can do it.</summary>
    /// <param name="builder">The app, with <c>UseOrleans</c> or <c>UseOrleansClient</c>.</param>
    /// <returns>The same.</returns>
    public static TBuilder UseManagedTransformersCluster<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton<FleetView>();
        builder.Services.AddSingleton<FleetHeaders>();
        builder.Services.AddHostedService(services => services.GetRequiredService<FleetView>());
        builder.Services.Replace(ServiceDescriptor.Singleton<ModelBackend, ClusterBackend>());
        return builder;
    }
}
