using System.Runtime.CompilerServices;

namespace ManagedTransformers.Orleans;

/// <summary>What the engines of this silo do for requests that were placed here: for grains, and for callers in this process, whose requests need no message.
/// Work waits on the engines' threads, never on a grain's.</summary>
internal sealed class SiloEngines(SiloModels models, SiloStanding standing, ILocalSiloDetails silo)
{
    private const int NotBegun = 0, Begun = 1, Moved = 2;

    /// <summary>This silo's address.</summary>
    public SiloAddress Address => silo.SiloAddress;

    /// <summary>Gives texts piece by piece.</summary>
    /// <exception cref="ModelFingerprintException">The silo has other files than the request was placed for.</exception>
    /// <exception cref="SiloUnavailableException">The silo stops.</exception>
    /// <exception cref="NoSiloException">The silo does not know whether it belongs to the cluster.</exception>
    /// <exception cref="ModelInputException">The model does not generate, or what an engine refuses.</exception>
    public async IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        ClusterRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ModelDrain drain = models.DrainOf(request.Model);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, drain.All, standing.Lost);
        // What has no token yet begins anew on another silo, of another version as well. Of the two only one can come first.
        int begun = request.Begun.Length > 0 ? Begun : NotBegun;
        using CancellationTokenRegistration moves = drain.Waiting.Register(() =>
        {
            if (Interlocked.CompareExchange(ref begun, Moved, NotBegun) == NotBegun)
                ended.Cancel();
        });
        ModelLease lease = await AcquireAsync(request.Model, request.Fingerprint, ended.Token).ConfigureAwait(false);
        try
        {
            GenerationEngine engine = lease.Generation ?? throw Cannot(lease, "generate texts");
            IAsyncEnumerator<GenerationUpdate> updates =
                engine.StreamAsync(request.ForEngine(engine.Generator), ended.Token).GetAsyncEnumerator(CancellationToken.None);
            models.Change();                                     // it has a place in the queue now
            await using (updates.ConfigureAwait(false))
            {
                while (await UnlessStoppedAsync(updates.MoveNextAsync().AsTask(), ended.Token, cancellationToken).ConfigureAwait(false))
                {
                    if (Interlocked.CompareExchange(ref begun, Begun, NotBegun) == Moved)
                        throw Stops(null);
                    yield return updates.Current;
                }
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
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, models.DrainOf(request.Model).Waiting, standing.Lost);
        ModelLease lease = await AcquireAsync(request.Model, request.Fingerprint, ended.Token).ConfigureAwait(false);
        try
        {
            EncoderEngine engine = lease.Encoder ?? throw Cannot(lease, "read texts as an encoder does");
            return await UnlessStoppedAsync(job.Run(engine.Timed(times), request, ended.Token), ended.Token, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            models.Release(lease);
        }
    }

    // Files may be replaced between the directory's choice and the end of the load.
    private async Task<ModelLease> AcquireAsync(string model, string fingerprint, CancellationToken cancellationToken)
    {
        string own = await models.FingerprintOf(model).ConfigureAwait(false);
        if (own != fingerprint)
            throw Other(own);
        ModelLease lease = await models.AcquireAsync(model, cancellationToken).ConfigureAwait(false);
        try
        {
            return await models.IsOfAsync(lease, fingerprint).ConfigureAwait(false)
                ? lease : throw Other(await models.FingerprintOf(model).ConfigureAwait(false));
        }
        catch
        {
            models.Release(lease);
            throw;
        }

        ModelFingerprintException Other(string found) =>
            new(ModelFingerprintException.Say(model, silo.Name, found, "the directory", fingerprint));
    }

    // A caller in this process asks no grain, so that no filter says it.
    private async Task<T> UnlessStoppedAsync<T>(Task<T> work, CancellationToken ended, CancellationToken cancellationToken)
    {
        try
        {
            T done = await work.ConfigureAwait(false);
            return standing.IsConfirmed ? done : throw standing.Refusal(silo.Name);
        }
        catch (Exception e) when (ended.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Stops(e);
        }
    }

    private SiloUnavailableException Stops(Exception? error)
    {
        string message = $"The silo {silo.Name} stops.";
        return error is null ? new SiloUnavailableException(message) : new SiloUnavailableException(message, error);
    }

    private static ModelInputException Cannot(ModelLease lease, string what) => new($"The model {lease.Id} does not {what}; it does {lease.Tasks}.");
}
