using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Serialization;

namespace ManagedTransformers.Orleans;

/// <summary>Models in a cluster of Orleans.</summary>
public static class ManagedTransformersOrleansExtensions
{
    /// <summary>Gives a silo models, which callers of the whole cluster use with <see cref="ClusterGenerator"/> and
    /// <see cref="ClusterEncoder"/>. The silo's metadata say
    /// <c>managed-transformers.memory</c>, bytes for models, and <c>managed-transformers.kernels</c>, the level of its processor.</summary>
    /// <remarks>It also sets how a lost silo is noticed (<see cref="ClusterMembershipOptions"/>), within some 6 seconds; configure it after this call to
    /// change that.</remarks>
    /// <param name="silo">The silo.</param>
    /// <param name="options">Its models.</param>
    /// <exception cref="ArgumentException">There is no model, two have one name, or engines are not deterministic.</exception>
    public static ISiloBuilder AddManagedTransformers(this ISiloBuilder silo, ModelSiloOptions options)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(options);
        var models = new SiloModels(options);
        silo.UseSiloMetadata(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["managed-transformers.memory"] = models.MemoryBytes.ToString(CultureInfo.InvariantCulture),
            ["managed-transformers.kernels"] = models.KernelLevel,
        });
        silo.AddPlacementDirector<ModelPlacementStrategy, ModelPlacementDirector>();
        silo.Services.AddSingleton(_ => models);                        // by a factory, so that it is disposed with the silo
        silo.Services.AddSingleton<SiloEngines>();
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, SiloReporter>();
        silo.Services.AddSingleton<SiloCorpora>();
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => services.GetRequiredService<SiloCorpora>());
        silo.Services.Configure<ExceptionSerializationOptions>(Admit);
        silo.Services.Configure<ClusterMembershipOptions>(NoticeSoon);
        silo.AddGrainService<StandingService>();
        silo.Services.AddSingleton<StandingClient>();
        silo.Services.AddSingleton(_ => new SiloStanding(options, TimeProvider.System));
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => ActivatorUtilities.CreateInstance<StandingWatch>(
            services, options, TimeProvider.System));
        silo.AddIncomingGrainCallFilter<StandingFilter>();
        silo.AddOutgoingGrainCallFilter<StandingFilter>();
        return silo;
    }

    /// <summary>Lets a client that is no silo use the models of a cluster with <see cref="ClusterGenerator"/> and
    /// <see cref="ClusterEncoder"/>.</summary>
    /// <param name="client">The client.</param>
    public static IClientBuilder AddManagedTransformers(this IClientBuilder client)
    {
        ArgumentNullException.ThrowIfNull(client);
        client.Services.Configure<ExceptionSerializationOptions>(Admit);
        client.Services.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = TimeSpan.FromSeconds(5));      // silos that are new
        return client;
    }

    // A text waits for as long as its lost silo is not noticed, and moves at little cost: it may be noticed soon, and now and then in vain.
    private static void NoticeSoon(ClusterMembershipOptions options)
    {
        options.ProbeTimeout = TimeSpan.FromSeconds(2);                 // and three that fail: about 6 s. Less would count a busy processor as a loss.
        // Half of all silos, because the table asks for at most this many votes: the smaller part of a divided cluster cannot declare the larger one dead.
        options.NumVotesForDeathDeclaration = options.NumProbedSilos;
        options.TableRefreshTimeout = TimeSpan.FromSeconds(5);          // so soon learns a silo, that nobody can tell, that it was declared dead
        options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);  // three that are missing: silos that are lost together ask for no votes
        // Both compare times of day of two machines: a silo whose clock is late could not join.
        options.EvictWhenMaxJoinAttemptTimeExceeded = false;
        options.SiloGenerationRetirementAge = null;
    }

    // Errors of this library arrive as what they are.
    private static void Admit(ExceptionSerializationOptions options) => options.SupportedNamespacePrefixes.Add(nameof(ManagedTransformers));
}
