using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
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

    /// <summary>Loads a model on the silo, for requests that come later. One that cannot be loaded is in the silo's log.</summary>
    [OneWay]
    Task LoadAsync(string model);
}

/// <summary>It asks the engine and waits: the model runs on the engine's thread. It ends with its request; Orleans' collection of old grains goes by the time
/// of day, and fails where a clock is put back.</summary>
[GrainType(StandingFilter.GrainTypes + "generation"), ModelPlacement, Immovable, KeepAlive]
internal sealed class GenerationGrain(SiloEngines engines, SiloModels models, ILogger<GenerationGrain> log) : Grain, IGenerationGrain
{
    public async IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        ClusterRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        bool hasEnded = false;
        try
        {
            await foreach (GenerationUpdate update in engines.GenerateAsync(request, cancellationToken))
                yield return update;
            hasEnded = true;
        }
        finally
        {
            if (!hasEnded)
                DeactivateOnIdle();                                                // a caller that was lost does not say EndAsync
        }
    }

    public Task EndAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task LoadAsync(string model)
    {
        DeactivateOnIdle();
        return models.LoadAsync(model, log, models.DrainOf(model).All);
    }
}
