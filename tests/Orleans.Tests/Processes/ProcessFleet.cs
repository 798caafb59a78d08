using System.Net;
using ManagedTransformers.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Silos in processes of their own, a redis-server, and a client in this process.</summary>
internal sealed class ProcessFleet : IAsyncDisposable
{
    private readonly string _cluster = $"fleet-{Guid.NewGuid():N}";
    private readonly SiloProcess[] _silos;
    private IHost? _client;

    private ProcessFleet(RedisServer redis, int silos) => (Redis, _silos) = (redis, new SiloProcess[silos]);

    public RedisServer Redis { get; }

    public IReadOnlyList<SiloProcess> Silos => _silos;

    public ClusterGenerator Generator => new(_client!.Services.GetRequiredService<IClusterClient>(), Fleet.Model);

    /// <summary>Three silos that differ from the usual settings as said.</summary>
    public static async Task<ProcessFleet> StartAsync(Func<int, SiloSettings, SiloSettings>? change = null, IPAddress? redis = null)
    {
        RedisServer.Require();
        var fleet = new ProcessFleet(new RedisServer(redis ?? IPAddress.Loopback), 3);
        try
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(i =>
            {
                var usual = new SiloSettings(
                    $"silo-{i}", IPAddress.Loopback, Ports.Free(IPAddress.Loopback), Ports.Free(IPAddress.Loopback));
                return fleet.StartAsync(i, change?.Invoke(i, usual) ?? usual);
            }));
            await fleet.ConnectAsync();
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a silo in a place, in the way of the one before it if not said otherwise.</summary>
    public async Task StartAsync(int silo, SiloSettings? settings = null)
    {
        settings ??= _silos[silo].Settings;
        _silos[silo]?.Dispose();
        _silos[silo] = await SiloProcess.StartAsync(settings, Redis, _cluster);
    }

    /// <summary>Waits until the directory says something of the silos. Three minutes without it are a fault.</summary>
    public async Task<IReadOnlyList<ClusterSilo>> UntilAsync(Func<IReadOnlyList<ClusterSilo>, bool> what)
    {
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (true)
        {
            try
            {
                IReadOnlyList<ClusterSilo> silos = await Generator.GetSilosAsync();
                if (what(silos))
                    return silos;
            }
            catch (Exception e) when (e is OrleansException or TimeoutException or NoSiloException)
            {
            }
            await Task.Delay(100, guard.Token);
        }
    }

    /// <summary>The silo on which the model's directory is.</summary>
    public async Task<int> DirectoryHostAsync()
    {
        IClusterClient client = _client!.Services.GetRequiredService<IClusterClient>();
        SiloAddress? host = await client.GetGrain<IManagementGrain>(0).GetActivationAddress(client.GetGrain<IModelDirectoryGrain>(Fleet.Model));
        return Array.FindIndex(_silos, silo => silo.Settings.SiloPort == host!.Endpoint.Port);
    }

    /// <summary>Starts a gateway of the server in this process, which is a client of its own; whoever disposes it ends it.</summary>
    /// <param name="calls">Hears of every call to the cluster.</param>
    public Task<(WebApplication App, HttpClient Client)> StartGatewayAsync(IOutgoingGrainCallFilter calls) => GatewayTests.StartAsync(builder =>
    {
        builder.UseOrleansClient(client => BeClient(client.AddOutgoingGrainCallFilter(calls)));
        builder.UseManagedTransformersCluster();
    }, []);

    public Task UntilThreeAsync() => UntilAsync(silos => silos.Count == 3 && silos.All(silo => silo.IsLoaded));

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.StopAsync();
            _client.Dispose();
        }
        foreach (SiloProcess? silo in _silos)
            silo?.Dispose();
        Redis.Dispose();
    }

    private async Task ConnectAsync()
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleansClient(BeClient);
        _client = builder.Build();
        await _client.StartAsync();
        if (_silos.All(silo => silo.Settings.MemoryBytes is null))
            await UntilThreeAsync();
    }

    private void BeClient(IClientBuilder client) => client
        .UseRedisClustering(Redis.ConnectionString)
        .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (_cluster, "fleet"))
        .Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = TimeSpan.FromSeconds(10))
        .AddManagedTransformers();
}
