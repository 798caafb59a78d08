using System.Collections.Concurrent;
using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>A collection of <see cref="InMemoryVectorStore"/>. Thread-safe.</summary>
/// <remarks>All methods but those that ask for its existence need it to exist (<see cref="EnsureCollectionExistsAsync"/>) and throw
/// <see cref="VectorStoreException"/> where it does not. Filters run on the app's records as compiled expressions, see no vectors, and must not
/// use the collection. What they throw comes out.</remarks>
/// <typeparam name="TKey">A record's key.</typeparam>
/// <typeparam name="TRecord">A class with a constructor without parameters, or a dictionary.</typeparam>
public sealed class InMemoryVectorCollection<TKey, TRecord> : VectorStoreCollection<TKey, TRecord>
    where TKey : notnull
    where TRecord : class
{
    private readonly CollectionModel _model;
    private readonly RecordMapping<TKey, TRecord> _mapping;
    private readonly ConcurrentDictionary<string, IDisposable> _tables;
    private readonly int _maxThreads;

    internal InMemoryVectorCollection(string name, CollectionModel model, ConcurrentDictionary<string, IDisposable> tables, int maxThreads)
    {
        (Name, _model, _tables, _maxThreads, _mapping) = (name, model, tables, maxThreads, new RecordMapping<TKey, TRecord>(model));
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(CancellationToken cancellationToken = default) => Task.FromResult(_tables.ContainsKey(Name));

    /// <inheritdoc/>
    public override Task EnsureCollectionExistsAsync(CancellationToken cancellationToken = default)
    {
        _tables.GetOrAdd(Name, _ => new VectorTable<TKey, TRecord>(_model));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(CancellationToken cancellationToken = default)
    {
        _tables.TryRemove(Name, out _);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override Task<TRecord?> GetAsync(TKey key, RecordRetrievalOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        bool includeVectors = options?.IncludeVectors == true;
        _mapping.RequireVectors(includeVectors);
        return Task.FromResult(Table.Read(table => table.TryFind(key, out int row) ? _mapping.FromRow(table, row, includeVectors) : null));
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<TRecord> GetAsync(
        Expression<Func<TRecord, bool>> filter, int top, FilteredRecordRetrievalOptions<TRecord>? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new FilteredRecordRetrievalOptions<TRecord>();
        _mapping.RequireVectors(options.IncludeVectors);
        Func<TRecord, bool> accept = filter.Compile();
        TRecord[] found = await Task.Run(() => Table.Read(table =>
        {
            IEnumerable<int> rows = Enumerable.Range(0, table.Count).Where(row => accept(table.Record(row)));
            return Ordered(rows, table, options).Skip(options.Skip).Take(top).Select(row => _mapping.FromRow(table, row, options.IncludeVectors)).ToArray();
        }), cancellationToken).ConfigureAwait(false);
        foreach (TRecord record in found)
            yield return record;
    }

    /// <inheritdoc/>
    public override Task DeleteAsync(TKey key, CancellationToken cancellationToken = default) => DeleteAsync([key], cancellationToken);

    /// <inheritdoc/>
    public override Task DeleteAsync(IEnumerable<TKey> keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        Table.Delete([.. keys]);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The record has no key, or a vector of another length or with something that is no number.</exception>
    public override Task UpsertAsync(TRecord record, CancellationToken cancellationToken = default) => UpsertAsync([record], cancellationToken);

    /// <summary>Adds records, or replaces those with the same keys: all, or none where one cannot be added.</summary>
    /// <param name="records">The records. Values that are to be embedded go to the generator in one call.</param>
    /// <param name="cancellationToken">Ends the embedding; then nothing is added.</param>
    /// <exception cref="ArgumentException">A record has no key, or a vector of another length or with something that is no number.</exception>
    public override async Task UpsertAsync(IEnumerable<TRecord> records, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(records);
        VectorTable<TKey, TRecord> table = Table;
        VectorRow<TKey, TRecord>[] rows = await _mapping.ToRowsAsync([.. records], cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        table.Upsert(rows);
    }

    /// <summary>Finds the records that are nearest to a vector (ReadOnlyMemory&lt;float>, float[], Embedding&lt;float>), or to what the property's generator
    /// embeds.</summary>
    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The vector has another length or something that is no number.</exception>
    /// <exception cref="InvalidOperationException">The value is no vector and the property has no generator for it, or the options name no property of
    /// several.</exception>
    public override async IAsyncEnumerable<VectorSearchResult<TRecord>> SearchAsync<TInput>(
        TInput searchValue, int top, VectorSearchOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(searchValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new VectorSearchOptions<TRecord>();
        _mapping.RequireVectors(options.IncludeVectors);
        VectorPropertyModel property = _model.GetVectorPropertyOrSingle(options);
        int number = _model.VectorProperties.ToList().IndexOf(property);
        Func<TRecord, bool>? filter = options.Filter?.Compile();
        VectorTable<TKey, TRecord> all = Table;
        ReadOnlyMemory<float> query = await QueryAsync(searchValue, property, cancellationToken).ConfigureAwait(false);
        VectorSearchResult<TRecord>[] results = await Task.Run(() => all.Read(table =>
        {
            Func<int, bool>? accept = filter is null ? null : row => filter(table.Record(row));
            int wanted = (int)Math.Min((long)top + options.Skip, Math.Max(1, table.Count));
            IReadOnlyList<(int Row, double Score)> nearest = FlatSearch.Run(
                table.Vectors(number), query, _mapping.Measures[number], wanted, accept, options.ScoreThreshold, _maxThreads, cancellationToken);
            return nearest
                .Skip(options.Skip)
                .Select(found => new VectorSearchResult<TRecord>(_mapping.FromRow(table, found.Row, options.IncludeVectors), found.Score)).ToArray();
        }), cancellationToken).ConfigureAwait(false);
        foreach (VectorSearchResult<TRecord> result in results)
            yield return result;
    }

    /// <summary>Writes the collection to a file of the safetensors format: a tensor [records, dimensions] per vector property, and the records as lines of
    /// JSON in a tensor of bytes.</summary>
    /// <param name="path">The file; one that is there is replaced when the new one is complete.</param>
    /// <param name="json">How values of keys and data become JSON: a source-generated context's options, or
    /// <see cref="JsonSerializerOptions.Default"/>.</param>
    /// <param name="cancellationToken">Ends the writing; a file that was there stays.</param>
    public Task SaveAsync(string path, JsonSerializerOptions json, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(json);
        VectorTable<TKey, TRecord> table = Table;
        return Task.Run(() => table.Read(rows =>
        {
            new CollectionFile<TKey, TRecord>(Name, _model, json).Save(rows, path, cancellationToken);
            return true;
        }), cancellationToken);
    }

    /// <summary>Reads a file that <see cref="SaveAsync"/> has written; its records are added to those that are there, and replace those with the same keys.
    /// The collection is created where it does not exist.</summary>
    /// <param name="path">The file.</param>
    /// <param name="json">How values of keys and data are read from JSON.</param>
    /// <param name="cancellationToken">Ends the reading; then nothing is added.</param>
    /// <exception cref="InvalidDataException">The file is no such file, is truncated, is of a collection with other properties, or has a vector that
    /// <see cref="UpsertAsync(TRecord, CancellationToken)"/> would refuse.</exception>
    public async Task LoadAsync(string path, JsonSerializerOptions json, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(json);
        VectorRow<TKey, TRecord>[] rows =
            await Task.Run(() => new CollectionFile<TKey, TRecord>(Name, _model, json).Load(path, cancellationToken), cancellationToken).ConfigureAwait(false);
        await EnsureCollectionExistsAsync(cancellationToken).ConfigureAwait(false);
        Table.Upsert(rows);
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(VectorStoreCollectionMetadata)
                ? new VectorStoreCollectionMetadata { VectorStoreSystemName = InMemoryVectorStore.SystemName, CollectionName = Name }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    private VectorTable<TKey, TRecord> Table => _tables.GetValueOrDefault(Name) switch
    {
        VectorTable<TKey, TRecord> table => table,
        null => throw Failed($"The collection {Name} does not exist. Call EnsureCollectionExistsAsync first."),
        var other => throw Failed($"The collection {Name} holds {string.Join(" → ", other.GetType().GenericTypeArguments.Select(type => type.Name))}; " +
            $"it was asked for as {typeof(TKey).Name} → {typeof(TRecord).Name}. Use the types that it was made with."),
    };

    private VectorStoreException Failed(string message) =>
        new(message) { VectorStoreSystemName = InMemoryVectorStore.SystemName, CollectionName = Name };

    private static IEnumerable<int> Ordered(IEnumerable<int> rows, VectorTable<TKey, TRecord> table, FilteredRecordRetrievalOptions<TRecord> options)
    {
        if (options.OrderBy is null)
            return rows;
        IOrderedEnumerable<int>? ordered = null;
        foreach (FilteredRecordRetrievalOptions<TRecord>.OrderByDefinition.SortInfo by in options.OrderBy(new()).Values)
        {
            Func<TRecord, object?> key = by.PropertySelector.Compile();
            object? Of(int row) => key(table.Record(row));
            ordered = (ordered, by.Ascending) switch
            {
                (null, true) => rows.OrderBy(Of),
                (null, false) => rows.OrderByDescending(Of),
                (_, true) => ordered.ThenBy(Of),
                (_, false) => ordered.ThenByDescending(Of),
            };
        }
        return ordered ?? rows;
    }

    private static async Task<ReadOnlyMemory<float>> QueryAsync(object value, VectorPropertyModel property, CancellationToken cancellationToken)
    {
        object? vector = value;
        if (!VectorTypes.IsVector(value.GetType()))
        {
            if (property.EmbeddingGenerator is null || property.EmbeddingGenerationDispatcher is null)
                throw new InvalidOperationException(
                    VectorDataStrings.InvalidSearchInputAndNoEmbeddingGeneratorWasConfigured(value.GetType(), VectorTypes.Names));
            vector = await property.GenerateEmbeddingAsync(value, cancellationToken).ConfigureAwait(false);
        }
        return RecordMapping<TKey, TRecord>.Checked(VectorTypes.Numbers(vector), property, "the query")!.Value;
    }
}
