namespace ManagedTransformers.Orleans;

/// <summary>Knows which models there are in the cluster; their directories know where.</summary>
internal interface IFleetGrain : IGrainWithIntegerKey
{
    /// <summary>Hears which models a silo has; it comes again within <paramref name="interval"/>.</summary>
    Task ReportAsync(SiloAddress silo, string[] models, TimeSpan interval);

    /// <summary>A silo stops.</summary>
    Task LeaveAsync(SiloAddress silo);

    /// <summary>The models, by name.</summary>
    Task<string[]> ModelsAsync();
}

/// <summary>It is in memory alone: one that was lost is complete again when every silo has reported once.</summary>
[GrainType(StandingFilter.GrainTypes + "fleet"), KeepAlive]
internal sealed class FleetGrain(ISiloStatusOracle silos) : Grain, IFleetGrain
{
    private readonly Dictionary<SiloAddress, (string[] Models, TimeSpan Interval, long Came)> _silos = [];

    public Task ReportAsync(SiloAddress silo, string[] models, TimeSpan interval)
    {
        _silos[silo] = (models, interval, Stopwatch.GetTimestamp());
        return Task.CompletedTask;
    }

    public Task LeaveAsync(SiloAddress silo)
    {
        _silos.Remove(silo);
        return Task.CompletedTask;
    }

    public Task<string[]> ModelsAsync()
    {
        foreach ((SiloAddress silo, (_, TimeSpan interval, long came)) in _silos)
        {
            if (silos.IsGone(silo, came, interval))
                _silos.Remove(silo);
        }
        return Task.FromResult(_silos.Values.SelectMany(silo => silo.Models).Distinct().Order(StringComparer.Ordinal).ToArray());
    }
}
