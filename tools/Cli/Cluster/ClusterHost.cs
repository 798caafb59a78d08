using System.Globalization;
using System.Net;
using ManagedTransformers.Orleans;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Dashboard;
using Orleans.Hosting;
using Orleans.Runtime;
using StackExchange.Redis;

namespace ManagedTransformers.Cli;

/// <summary>Makes the app of mtx serve a silo and a gateway of a cluster, or a gateway alone.</summary>
internal static class ClusterHost
{
    /// <summary>Adds Orleans to the app.</summary>
    /// <exception cref="IOException">Redis cannot be reached, or a port is in use.</exception>
    public static async Task JoinAsync(
        WebApplicationBuilder builder, ClusterMembership membership, ServerOptions options, CancellationToken cancellationToken)
    {
        ClusterAddress address = membership.Address;
        IPAddress own = address.Redis ? membership.SiloAddress ?? await address.ReachAsync(cancellationToken).ConfigureAwait(false) : IPAddress.Loopback;
        if (address.Redis)
            await PingAsync(address).ConfigureAwait(false);
        if (membership.GatewayOnly)
            builder.UseOrleansClient(client => BeClient(client, address));
        else
            await BeSiloAsync(builder, membership, own, options).ConfigureAwait(false);
        // What Orleans says of the garbage collector, of how late its own threads are while models compute, and of every attempt that is made again, helps
        // nobody here.
        builder.Logging.AddFilter("Orleans", LogLevel.Warning).AddFilter("Polly", LogLevel.None);
        builder.Logging.AddFilter("ManagedTransformers.Orleans.StandingService", LogLevel.Warning);          // what Orleans says of its part of the ring
        builder.Logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error).AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
        builder.UseManagedTransformersCluster();
    }

    /// <summary>Joins a cluster as a client that serves nothing.</summary>
    /// <returns>What has the client; who disposes it leaves the cluster.</returns>
    /// <exception cref="IOException">The cluster cannot be joined.</exception>
    public static async Task<IHost> ConnectAsync(ClusterAddress address, CancellationToken cancellationToken)
    {
        if (address.Redis)
        {
            await address.ReachAsync(cancellationToken).ConfigureAwait(false);
            await PingAsync(address).ConfigureAwait(false);
        }
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.UseOrleansClient(client => BeClient(client, address));
        IHost host = builder.Build();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ClusterAddress.TimeToFind);
        try
        {
            await host.StartAsync(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
            return host;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            host.Dispose();
            throw new IOException(address.NoSilo, e);
        }
        catch (Exception e)
        {
            host.Dispose();
            throw ProblemOf(e, address) is string problem ? new IOException(problem, e) : e;
        }
    }

    /// <summary>Shows Orleans' dashboard on a port of its own, to this machine.</summary>
    public static void MapDashboard(WebApplication app, int port)
    {
        app.Urls.Add(string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}"));
        app.MapGroup("").RequireHost(string.Create(CultureInfo.InvariantCulture, $"*:{port}")).MapOrleansDashboard();
    }

    /// <summary>What keeps a process from joining, for people; null: it is not of the cluster.</summary>
    public static string? ProblemOf(Exception error, ClusterAddress address) => error switch
    {
        OrleansException or RedisException or TimeoutException =>
            $"The cluster at {address.Host}:{address.Port} cannot be joined: {error.Message}",
        _ => null,
    };

    private static void BeClient(IClientBuilder client, ClusterAddress address)
    {
        client.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (address.Service, address.Service));
        if (address.Redis)
            client.UseRedisClustering(redis => redis.ConfigurationOptions = OptionsOf(address));
        else
            client.UseLocalhostClustering(address.Port + 1, address.Service, address.Service);
        client.AddManagedTransformers();
    }

    private static async Task BeSiloAsync(WebApplicationBuilder builder, ClusterMembership membership, IPAddress own, ServerOptions options)
    {
        ClusterAddress address = membership.Address;
        // Who comes first at the port of a local cluster is its first silo, which the others ask who is there.
        bool isFirst = !address.Redis && membership.SiloPort is null && ClusterAddress.IsFree(own, address.Port);
        int port = membership.SiloPort ?? (isFirst ? address.Port : ClusterAddress.FreePort(own));
        int gateway = isFirst ? port + 1 : ClusterAddress.FreePort(own);
        foreach (int needed in (int[])[port, gateway])
        {
            if (!ClusterAddress.IsFree(own, needed))
                throw new IOException($"{own}:{needed} is in use, and this silo needs it. Choose another port with " +
                    $"{(isFirst ? "--cluster localhost:PORT" : "--silo-port")}.");
        }
        ModelSiloOptions models = await ModelsOfAsync(options).ConfigureAwait(false);
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (address.Service, address.Service));
            silo.Configure<SiloOptions>(named => named.SiloName = membership.SiloName
                ?? string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}:{port}"));
            if (address.Redis)
                silo.UseRedisClustering(redis => redis.ConfigurationOptions = OptionsOf(address)).ConfigureEndpoints(own, port, gateway);
            else
                silo.UseLocalhostClustering(port, gateway, new IPEndPoint(own, address.Port), address.Service, address.Service);
            silo.AddManagedTransformers(models);
            if (membership.DashboardPort is not null)
                silo.AddDashboard();
        });
    }

    private static async Task<ModelSiloOptions> ModelsOfAsync(ServerOptions options)
    {
        var host = new ModelHostOptions
        {
            Models = options.Models, MemoryBytes = options.MemoryBytes, Pipeline = options.Pipeline, Generation = options.Generation, Encoder = options.Encoder,
        };
        var named = new ModelHost(host);
        await using (named.ConfigureAwait(false))
            return new ModelSiloOptions { Host = host, Preload = options.Preload ? [.. named.Models.Select(model => model.Id)] : [] };
    }

    // Wrong passwords and Redis servers that are none are found here, and not by a silo that tries again and again.
    private static async Task PingAsync(ClusterAddress address)
    {
        try
        {
            ConnectionMultiplexer redis = await ConnectionMultiplexer.ConnectAsync(OptionsOf(address)).ConfigureAwait(false);
            await using (redis.ConfigureAwait(false))
                await redis.GetDatabase().PingAsync().ConfigureAwait(false);
        }
        catch (RedisException e)
        {
            // What the library says of its own options helps nobody here.
            string why = (e.InnerException ?? e).Message;
            throw new IOException($"The Redis at {address.Host}:{address.Port} does not answer as one, or does not let mtx in: {why} " +
                $"Give --cluster the address, user and password of a Redis: {ClusterAddress.Form}.", e);
        }
    }

    private static ConfigurationOptions OptionsOf(ClusterAddress address) => new()
    {
        EndPoints = { { address.Host, address.Port } }, User = address.User.Length > 0 ? address.User : null,
        Password = address.Password.Length > 0 ? address.Password : null, ConnectTimeout = 5000,
    };
}
