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

/// <summary>It asks the engine and waits: the model runs on the engine's thread.</summary>
[GrainType(StandingFilter.GrainTypes + "generation"), ModelPlacement, Immovable, KeepAlive]
internal sealed class GenerationGrain(SiloEngines engines, SiloModels models, ILogger<GenerationGrain> log) : CallGrain, IGenerationGrain
{
    public IAsyncEnumerable<GenerationUpdate> GenerateAsync(ClusterRequest request, CancellationToken cancellationToken) =>
        GiveAsync(engines.GenerateAsync(request, cancellationToken), cancellationToken);

    public Task LoadAsync(string model)
    {
        DeactivateOnIdle();
        return models.LoadAsync(model, log, models.DrainOf(model).All);
    }
}
