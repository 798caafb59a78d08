using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;

namespace ManagedTransformers.Cli;

/// <summary>In place of the other ClusterHost in a trimmed mtx: Orleans finds its serializers by reflection, and does not run trimmed.</summary>
internal static class ClusterHost
{
    public const string NoCluster = "This mtx was published trimmed, without Orleans, so that --cluster is not possible. Take the dotnet tool " +
        "ManagedTransformers.Cli, or publish with -p:PublishTrimmed=false.";

    /// <exception cref="UsageException">Always.</exception>
    public static Task JoinAsync(WebApplicationBuilder builder, ClusterMembership membership, ServerOptions options, CancellationToken cancellationToken) =>
        throw new UsageException(NoCluster);

    public static void MapDashboard(WebApplication app, int port)
    {
    }

    public static string? ProblemOf(Exception error, ClusterAddress address) => null;
}

/// <inheritdoc cref="ClusterHost"/>
internal static class ClusterCorpus
{
    /// <exception cref="UsageException">Always.</exception>
    public static Task<(string Fingerprint, CorpusTotals Totals, IReadOnlyList<string> Refused)> RunAsync(
        ClusterAddress address, string model, string input, string directory, CorpusOptions options, int workers, object task, string? before,
        IProgress<CorpusProgress> progress, CancellationToken cancellationToken) => throw new UsageException(ClusterHost.NoCluster);
}
