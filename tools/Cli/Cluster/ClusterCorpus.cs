using ManagedTransformers.Orleans;
using ManagedTransformers.Serving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;

namespace ManagedTransformers.Cli;

/// <summary>A job over a corpus that a fleet does for this process.</summary>
internal static class ClusterCorpus
{
    /// <summary>Joins the cluster as a client, and watches the job until it is done.</summary>
    /// <param name="address">Where the fleet is.</param>
    /// <param name="model">What the model is called there.</param>
    /// <param name="input">The file, as the fleet sees it.</param>
    /// <param name="directory">Where the results go, as the fleet sees it.</param>
    /// <param name="options">How lines are read.</param>
    /// <param name="workers">Shards that a machine computes at a time.</param>
    /// <param name="task">The options of a pipeline, whose type says what is done.</param>
    /// <param name="before">Of likelihoods: what stands before every text.</param>
    /// <param name="progress">Told how far the job is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">The cluster cannot be joined.</exception>
    public static async Task<(string Fingerprint, CorpusTotals Totals, IReadOnlyList<string> Refused)> RunAsync(
        ClusterAddress address, string model, string input, string directory, CorpusOptions options, int workers, object task, string? before,
        IProgress<CorpusProgress> progress, CancellationToken cancellationToken)
    {
        using IHost host = await ClusterHost.ConnectAsync(address, cancellationToken).ConfigureAwait(false);
        var job = new ClusterCorpusJob(host.Services.GetRequiredService<IClusterClient>(), model, input, directory, options, workers);
        CorpusTotals totals = await (task switch
        {
            EmbeddingOptions embed => job.EmbedAsync(embed, progress, cancellationToken),
            TextClassificationOptions classify => job.ClassifyAsync(classify, progress, cancellationToken),
            TokenClassificationOptions tag => job.TagAsync(tag, progress, cancellationToken),
            ScoringOptions score => job.ScoreAsync(score, before, progress, cancellationToken),
            _ => throw new ArgumentException($"{task.GetType().Name} belongs to no task of a corpus.", nameof(task)),
        }).ConfigureAwait(false);
        await host.StopAsync(cancellationToken).ConfigureAwait(false);
        return (job.Fingerprint!, totals, job.Refused);
    }
}
