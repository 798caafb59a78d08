using Microsoft.Extensions.VectorData.ProviderServices;

namespace ManagedTransformers.Extensions.VectorData;

/// <summary>The rows of a collection: keys, records without their vectors, and the vectors of each vector property.</summary>
/// <remarks>Many read at once, one writes.</remarks>
internal sealed class VectorTable<TKey, TRecord>(CollectionModel model) : IDisposable
    where TKey : notnull
    where TRecord : class
{
    private readonly ReaderWriterLockSlim _lock = new();
    private readonly Dictionary<TKey, int> _rows = [];
    private readonly List<(TKey Key, TRecord Record)> _records = [];
    private readonly VectorMatrix[] _vectors = [.. model.VectorProperties.Select(property => new VectorMatrix(property.Dimensions))];

    /// <summary>Rows for whoever reads; valid during the call.</summary>
    public T Read<T>(Func<VectorTable<TKey, TRecord>, T> read)
    {
        _lock.EnterReadLock();
        try
        {
            return read(this);
        }
        finally
        {
            _lock.ExitReadLock();
        }
    }

    /// <summary>Adds rows, or replaces those with the same keys, all at once.</summary>
    public void Upsert(IEnumerable<VectorRow<TKey, TRecord>> rows)
    {
        _lock.EnterWriteLock();
        try
        {
            foreach (VectorRow<TKey, TRecord> row in rows)
                Upsert(row);
        }
        finally
        {
            _lock.ExitWriteLock();
        }
    }

    /// <summary>Removes rows; keys that are not there are passed over.</summary>
    public void Delete(IEnumerable<TKey> keys)
    {
        _lock.EnterWriteLock();
        try
        {
            foreach (TKey key in keys)
                Delete(key);
        }
        finally
        {
            _lock.ExitWriteLock();
        }
    }

    public int Count => _records.Count;

    public TRecord Record(int row) => _records[row].Record;

    public VectorMatrix Vectors(int property) => _vectors[property];

    public bool TryFind(TKey key, out int row) => _rows.TryGetValue(key, out row);

    public void Dispose() => _lock.Dispose();

    private void Upsert(VectorRow<TKey, TRecord> added)
    {
        bool isNew = !_rows.TryGetValue(added.Key, out int row);
        if (isNew)
        {
            _rows.Add(added.Key, _records.Count);
            _records.Add((added.Key, added.Record));
        }
        else
            _records[row] = (added.Key, added.Record);
        for (int property = 0; property < _vectors.Length; property++)
        {
            if (isNew)
                _vectors[property].Add(added.Vectors[property]);
            else
                _vectors[property].Set(row, added.Vectors[property]);
        }
    }

    private void Delete(TKey key)
    {
        if (!_rows.Remove(key, out int row))
            return;
        int last = _records.Count - 1;
        if (row != last)
        {
            _records[row] = _records[last];
            _rows[_records[row].Key] = row;
        }
        _records.RemoveAt(last);
        foreach (VectorMatrix vectors in _vectors)
            vectors.Remove(row);
    }
}

/// <summary>A row on its way into a table.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Record">What belongs to it, without vectors; the table's own.</param>
/// <param name="Vectors">For each vector property its numbers; null: it has none.</param>
internal readonly record struct VectorRow<TKey, TRecord>(TKey Key, TRecord Record, ReadOnlyMemory<float>?[] Vectors);
