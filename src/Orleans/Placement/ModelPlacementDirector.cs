using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace ManagedTransformers.Orleans;

/// <summary>Grains that run where the directory of their model sent them.</summary>
[Serializable, GenerateSerializer, Immutable]
internal sealed class ModelPlacementStrategy : PlacementStrategy
{
}

/// <inheritdoc cref="ModelPlacementStrategy"/>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ModelPlacementAttribute() : PlacementAttribute(new ModelPlacementStrategy());

/// <summary>Puts a request's grain on the silo that <see cref="ModelPlacement"/> chose, and nowhere else: on another one it would be slow, or have other files.
/// If that silo is gone meanwhile, the caller asks the directory again.</summary>
internal sealed class ModelPlacementDirector : IPlacementDirector
{
    /// <summary>Says where the next grain goes that the caller's call activates.</summary>
    public static void SendTo(SiloAddress silo) => RequestContext.Set(IPlacementDirector.PlacementHintKey, silo);

    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress? chosen = IPlacementDirector.GetPlacementHint(target.RequestContextData, context.GetCompatibleSilos(target));
        return chosen is not null
            ? Task.FromResult(chosen)
            : Task.FromException<SiloAddress>(new SiloUnavailableException("The silo that the model's directory chose has left the cluster."));
    }
}
