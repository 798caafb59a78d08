using System.Runtime.CompilerServices;

namespace ManagedTransformers.Orleans;

/// <summary>What the engines of this silo do for requests that were placed here: for grains, and for callers in this process, whose requests need no message.
/// Work waits on the engines' threads, never on a grain's.</summary>
internal sealed class SiloEngines(SiloModels models, ILocalSiloDetails silo)
{
    /// <summary>This silo's address.</summary>
    public SiloAddress Address => silo.SiloAddress;

    /// <summary>Gives texts piece by piece.</summary>
    /// <exception cref="ModelFingerprintException">The silo has other files than the request was placed for.</exception>
    /// <exception cref="SiloUnavailableException">The silo stops.</exception>
    /// <exception cref="ModelInputException">The model does not generate, or what an engine refuses.</exception>
    public async IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        ClusterRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await RequireSameAsync(request.Model, request.Fingerprint).ConfigureAwait(false);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, models.Draining);
        ModelLease lease = await models.AcquireAsync(request.Model, ended.Token).ConfigureAwait(false);
        try
        {
            GenerationEngine engine = lease.Generation ?? throw Cannot(lease, "generate texts");
            IAsyncEnumerator<GenerationUpdate> updates =
                engine.StreamAsync(request.ForEngine(engine.Generator), ended.Token).GetAsyncEnumerator(CancellationToken.None);
            await using (updates.ConfigureAwait(false))
            {
                while (await UnlessStoppedAsync(updates.MoveNextAsync().AsTask(), cancellationToken).ConfigureAwait(false))
                    yield return updates.Current;
            }
        }
        finally
        {
            models.Release(lease);
        }
    }

    /// <summary>Reads texts with an encoder.</summary>
    /// <exception cref="ModelFingerprintException">The silo has other files than the request was placed for.</exception>
    /// <exception cref="SiloUnavailableException">The silo stops.</exception>
    /// <exception cref="ModelInputException">The model is a decoder, or what an engine refuses.</exception>
    public async Task<IReadOnlyList<T>> RunAsync<T>(EncoderJob<T> job, EncoderRequest request, EncoderTimes times, CancellationToken cancellationToken)
    {
        await RequireSameAsync(request.Model, request.Fingerprint).ConfigureAwait(false);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, models.Draining);
        ModelLease lease = await models.AcquireAsync(request.Model, ended.Token).ConfigureAwait(false);
        try
        {
            EncoderEngine engine = lease.Encoder ?? throw Cannot(lease, "read texts as an encoder does");
            return await UnlessStoppedAsync(job.Run(engine.Timed(times), request, ended.Token), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            models.Release(lease);
        }
    }

    private async Task RequireSameAsync(string model, string fingerprint)
    {
        string own = await models.FingerprintOf(model).ConfigureAwait(false);
        if (own != fingerprint)
            throw new ModelFingerprintException(ModelFingerprintException.Say(model, silo.Name, own, "the directory", fingerprint));
    }

    private async Task<T> UnlessStoppedAsync<T>(Task<T> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (Exception e) when (models.Draining.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new SiloUnavailableException($"The silo {silo.Name} stops.", e);
        }
    }

    private static ModelInputException Cannot(ModelLease lease, string what) => new($"The model {lease.Id} does not {what}; it does {lease.Tasks}.");
}
