using Orleans.Placement;

namespace ManagedTransformers.Orleans;

/// <summary>Gives the small files of a model to those who have none: tokenizer and configuration, without which no text can be encoded.</summary>
internal interface ICheckpointGrain : IGrainWithGuidKey
{
    /// <summary>The files of a model of the silo that the directory chose.</summary>
    /// <exception cref="UnknownModelException">The silo has no such model.</exception>
    Task<CheckpointFiles> ReadAsync(string model);
}

[GrainType(StandingFilter.GrainTypes + "checkpoint"), ModelPlacement, Immovable, KeepAlive]
internal sealed class CheckpointGrain(SiloModels models) : Grain, ICheckpointGrain
{
    public async Task<CheckpointFiles> ReadAsync(string model)
    {
        try
        {
            return await models.FilesOf(model);
        }
        finally
        {
            DeactivateOnIdle();
        }
    }
}
