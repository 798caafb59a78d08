using Microsoft.Extensions.Logging;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace ManagedTransformers.Orleans;

/// <summary>One on every silo: says that it can be reached.</summary>
internal interface IStandingService : IGrainService
{
    /// <summary>Does nothing.</summary>
    Task PingAsync();
}

/// <inheritdoc cref="IStandingService"/>
[Reentrant]
internal sealed class StandingService(GrainId id, Silo silo, ILoggerFactory logs) : GrainService(id, silo, logs), IStandingService
{
    public Task PingAsync() => Task.CompletedTask;
}

/// <summary>Asks the service of a silo, without a directory of grains in between.</summary>
internal sealed class StandingClient(IServiceProvider services) : GrainServiceClient<IStandingService>(services)
{
    public Task PingAsync(SiloAddress silo) => GetGrainService(silo).PingAsync();
}
