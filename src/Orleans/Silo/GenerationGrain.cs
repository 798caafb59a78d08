using System.Runtime.CompilerServices;
using Orleans.Placement;

namespace ManagedTransformers.Orleans;

/// <summary>One attempt at a request, on the silo that the directory chose.</summary>
internal interface IGenerationGrain : IGrainWithGuidKey
{
    /// <summary>Gives texts piece by piece.</summary>
    /// <exception cref="ModelFingerprintException">The silo has other files than the request was placed for.</exception>
    /// <exception cref="SiloUnavailableException">The silo stops.</exception>
    IAsyncEnumerable<GenerationUpdate> GenerateAsync(ClusterRequest request, CancellationToken cancellationToken);

    /// <summary>Nothing more is asked for.</summary>
    [OneWay]
    Task EndAsync();
}

/// <summary>It asks the engine and waits: the model runs on the engine's thread.</summary>
[ModelPlacement, Immovable, CollectionAgeLimit(Minutes = 2)]
internal sealed class GenerationGrain(SiloModels models, ILocalSiloDetails silo) : Grain, IGenerationGrain
{
    public async IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        ClusterRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string own = await models.FingerprintOf(request.Model);
        if (own != request.Fingerprint)
            throw new ModelFingerprintException(ModelFingerprintException.Say(request.Model, silo.Name, own, "the directory", request.Fingerprint));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, models.Draining);
        ModelLease lease = await models.AcquireAsync(request.Model, ended.Token);
        try
        {
            GenerationEngine engine = lease.Generation!;
            await using IAsyncEnumerator<GenerationUpdate> updates =
                engine.StreamAsync(request.ForEngine(engine.Generator.Defaults), ended.Token).GetAsyncEnumerator(CancellationToken.None);
            while (await NextAsync(updates, cancellationToken))
                yield return updates.Current;
        }
        finally
        {
            models.Release(lease);
        }
    }

    public Task EndAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private async Task<bool> NextAsync(IAsyncEnumerator<GenerationUpdate> updates, CancellationToken cancellationToken)
    {
        try
        {
            return await updates.MoveNextAsync();
        }
        catch (Exception e) when (models.Draining.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new SiloUnavailableException($"The silo {silo.Name} stops.", e);
        }
    }
}
