using ManagedTransformers.Extensions.VectorData;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The in-memory vector store as a service.</summary>
public static class InMemoryVectorStoreExtensions
{
    /// <summary>Adds an <see cref="InMemoryVectorStore"/>, as itself and as <see cref="VectorStore"/>.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="options">Its options; where they have no generator, the app's <see cref="IEmbeddingGenerator"/> embeds, if it has one (that of
    /// <paramref name="serviceKey"/> before one without a key).</param>
    /// <param name="serviceKey">Its key; null: it is found without one.</param>
    public static IServiceCollection AddInMemoryVectorStore(
        this IServiceCollection services, InMemoryVectorStoreOptions? options = null, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        InMemoryVectorStore Make(IServiceProvider provider)
        {
            InMemoryVectorStoreOptions own = options ?? new InMemoryVectorStoreOptions();
            IEmbeddingGenerator? generator = serviceKey is null ? null : provider.GetKeyedService<IEmbeddingGenerator>(serviceKey);
            return new(own with { EmbeddingGenerator = own.EmbeddingGenerator ?? generator ?? provider.GetService<IEmbeddingGenerator>() });
        }
        return serviceKey is null
            ? services.AddSingleton(Make).AddSingleton<VectorStore>(provider => provider.GetRequiredService<InMemoryVectorStore>())
            : services.AddKeyedSingleton(serviceKey, (provider, _) => Make(provider))
                .AddKeyedSingleton<VectorStore>(serviceKey, (provider, key) => provider.GetRequiredKeyedService<InMemoryVectorStore>(key));
    }
}
