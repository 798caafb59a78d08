using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>A vector store in memory, whose search reads every vector once, at the speed of memory. Thread-safe.</summary>
/// <remarks>Records are copied in and out, as a database would: property by property, so that what a property refers to is shared. A search finds exactly the
/// nearest ones. Collections live as long as the store; <see cref="InMemoryVectorCollection{TKey, TRecord}.SaveAsync"/> keeps one in a file.</remarks>
/// <param name="options">Generator of embeddings and threads; null: none, and all.</param>
public sealed class InMemoryVectorStore(InMemoryVectorStoreOptions? options = null) : VectorStore
{
    internal const string SystemName = "managed_transformers.in_memory";

    private readonly InMemoryVectorStoreOptions _options = options ?? new InMemoryVectorStoreOptions();
    private readonly ConcurrentDictionary<string, IDisposable> _tables = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">A property asks for a distance function, an index or a type of vectors that this store does not
    /// have.</exception>
    [RequiresDynamicCode("Reads the properties of the record by reflection; ahead-of-time compiled apps use GetDynamicCollection.")]
    [RequiresUnreferencedCode("Reads the properties of the record by reflection; trimmed apps use GetDynamicCollection.")]
    public override InMemoryVectorCollection<TKey, TRecord> GetCollection<TKey, TRecord>(string name, VectorStoreCollectionDefinition? definition = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (typeof(TRecord) == typeof(Dictionary<string, object?>))
            throw new NotSupportedException("Records that are dictionaries are a dynamic collection's. Call GetDynamicCollection.");
        return new(name, new InMemoryModelBuilder().Build(typeof(TRecord), typeof(TKey), definition, _options.EmbeddingGenerator), _tables, _options.Threads);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">A property asks for a distance function, an index or a type of vectors that this store does not
    /// have.</exception>
    public override InMemoryVectorCollection<object, Dictionary<string, object?>> GetDynamicCollection(string name, VectorStoreCollectionDefinition definition)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(definition);
        return new(name, new InMemoryModelBuilder().BuildDynamic(definition, _options.EmbeddingGenerator), _tables, _options.Threads);
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<string> ListCollectionNamesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        foreach (string name in _tables.Keys.Order(StringComparer.Ordinal))
            yield return name;
    }

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(string name, CancellationToken cancellationToken = default) => Task.FromResult(_tables.ContainsKey(name));

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(string name, CancellationToken cancellationToken = default)
    {
        _tables.TryRemove(name, out _);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(VectorStoreMetadata) ? new VectorStoreMetadata { VectorStoreSystemName = SystemName }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }
}

/// <summary>How an in-memory store works.</summary>
public sealed record InMemoryVectorStoreOptions
{
    /// <summary>What embeds vector properties that are texts, where a property's definition has no generator of its own; null: nothing does.</summary>
    public IEmbeddingGenerator? EmbeddingGenerator { get; init; }

    /// <summary>Threads of a search at most, the caller's included; null: one per processor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is below 1.</exception>
    public int? MaxThreads
    {
        get;
        init => field = value is null or >= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"MaxThreads is {value}; 1 or more is needed.");
    }

    internal int Threads => MaxThreads ?? Environment.ProcessorCount;
}
