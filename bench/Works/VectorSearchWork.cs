using ManagedTransformers.Extensions.VectorData;
using ManagedTransformers.Kernels;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Bench;

/// <summary>One search in a collection of the in-memory vector store, which reads every vector once.</summary>
internal sealed class VectorSearchWork : Work
{
    private const int Top = 10, BatchRows = 10_000;

    private readonly int _rows, _width;
    private readonly float[] _query;
    private InMemoryVectorStore? _store;
    private InMemoryVectorCollection<int, Item>? _items;

    /// <param name="rows">Vectors.</param>
    /// <param name="width">Numbers of each.</param>
    /// <param name="kernels">Threads; the level is the base library's own.</param>
    public VectorSearchWork(int rows, int width, KernelOptions kernels) : base($"the {Top} nearest of {rows:N0}×{width}", kernels)
    {
        (_rows, _width, _query) = (rows, width, Vector(new Random(1), width));
        (Flops, Bytes) = (2.0 * rows * width, (double)sizeof(float) * rows * width);
        Limit = () => InterleavedLimit.Reading(Bytes, kernels);
    }

    public override void Prepare()
    {
        _store = new InMemoryVectorStore(new InMemoryVectorStoreOptions { MaxThreads = Kernels.MaxThreads });
        _items = _store.GetCollection<int, Item>("items", new VectorStoreCollectionDefinition
        {
            Properties =
            [
                new VectorStoreKeyProperty(nameof(Item.Id), typeof(int)),
                new VectorStoreVectorProperty(nameof(Item.Vector), typeof(ReadOnlyMemory<float>), _width),
            ],
        });
        _items.EnsureCollectionExistsAsync().Wait();
        var random = new Random(2);
        for (int first = 0; first < _rows; first += BatchRows)
            _items.UpsertAsync(Enumerable.Range(first, BatchRows).Select(id => new Item { Id = id, Vector = Vector(random, _width) })).Wait();
    }

    public override void Run() => RunAsync().Wait();

    public override void Dispose()
    {
        _items?.Dispose();
        _store?.Dispose();
        base.Dispose();
    }

    private async Task RunAsync()
    {
        await foreach (VectorSearchResult<Item> _ in _items!.SearchAsync(_query, Top))
        {
            // Ten of them.
        }
    }

    private static float[] Vector(Random random, int width)
    {
        var vector = new float[width];
        for (int i = 0; i < width; i++)
            vector[i] = random.NextSingle() - 0.5f;
        return vector;
    }

    private sealed class Item
    {
        public int Id { get; set; }

        public ReadOnlyMemory<float> Vector { get; set; }
    }
}
