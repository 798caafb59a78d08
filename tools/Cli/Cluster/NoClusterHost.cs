using ManagedTransformers.Server;
using Microsoft.AspNetCore.Builder;

namespace ManagedTransformers.Cli;

/// <summary>In place of the other ClusterHost in a trimmed mtx: Orleans finds its serializers by reflection, and does not run trimmed.</summary>
internal static class ClusterHost
{
    /// <exception cref="UsageException">Always.</exception>
    public static Task JoinAsync(WebApplicationBuilder builder, ClusterMembership membership, ServerOptions options, CancellationToken cancellationToken) =>
        throw new UsageException("This mtx was published trimmed, without Orleans, so that --cluster is not possible. Take the dotnet tool " +
            "ManagedTransformers.Cli, or publish with -p:PublishTrimmed=false.");

    public static void MapDashboard(WebApplication app, int port)
    {
    }

    public static string? ProblemOf(Exception error, ClusterAddress address) => null;
}
