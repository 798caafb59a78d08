using Microsoft.Extensions.DependencyInjection;
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
        silo.Services.Configure<ExceptionSerializationOptions>(Admit);
        return silo;
    }

    /// <summary>Lets a client that is no silo use the models of a cluster with <see cref="ClusterGenerator"/> and
    /// <see cref="ClusterEncoder"/>.</summary>
    /// <param name="client">The client.</param>
    public static IClientBuilder AddManagedTransformers(this IClientBuilder client)
    {
        ArgumentNullException.ThrowIfNull(client);
        client.Services.Configure<ExceptionSerializationOptions>(Admit);
        return client;
    }

    // Errors of this library arrive as what they are.
    private static void Admit(ExceptionSerializationOptions options) => options.SupportedNamespacePrefixes.Add(nameof(ManagedTransformers));
}
