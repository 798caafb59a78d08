using System.Text.Json;
using ManagedTransformers.Extensions.VectorData;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>The in-memory vector store.</summary>
public sealed class VectorStoreTests
{
    private static readonly float[] s_query = [3, 4];

    // |a| = 5 and it is the query itself; b is at a right angle to it; c is half of it; d is another direction.
    private static readonly Point[] s_points =
    [
        new() { Id = 1, Name = "a", Vector = new float[] { 3, 4 } }, new() { Id = 2, Name = "b", Vector = new float[] { 4, -3 } },
        new() { Id = 3, Name = "c", Vector = new float[] { 1.5f, 2 } }, new() { Id = 4, Name = "d", Vector = new float[] { 3, 0 } },
    ];

    [TestCase(DistanceFunction.CosineSimilarity, "a 1, c 1, d 0.6, b 0")]
    [TestCase(DistanceFunction.CosineDistance, "a 0, c 0, d 0.4, b 1")]
    [TestCase(DistanceFunction.DotProductSimilarity, "a 25, c 12.5, d 9, b 0")]
    [TestCase(DistanceFunction.NegativeDotProductSimilarity, "a -25, c -12.5, d -9, b 0")]
    [TestCase(DistanceFunction.EuclideanDistance, "a 0, c 2.5, d 4, b 7.0711")]
    [TestCase(DistanceFunction.EuclideanSquaredDistance, "a 0, c 6.25, d 16, b 50")]
    [TestCase(DistanceFunction.ManhattanDistance, "a 0, c 3.5, d 4, b 8")]
    [TestCase(DistanceFunction.HammingDistance, "a 0, d 1, b 2, c 2")]
    public async Task Each_distance_function_gives_its_values_nearest_first(string function, string expected)
    {
        using VectorStoreCollection<object, Dictionary<string, object?>> points = await DynamicAsync(function);
        List<VectorSearchResult<Dictionary<string, object?>>> found = await ListAsync(points.SearchAsync(s_query, 4));
        IEnumerable<string> shown = found.Select(one => FormattableString.Invariant($"{one.Record["Name"]} {Math.Round(one.Score!.Value, 4) + 0.0:0.####}"));
        Assert.That(string.Join(", ", shown), Is.EqualTo(expected));
    }

    [TestCase(DistanceFunction.CosineSimilarity, 0.6, "a, c, d")]
    [TestCase(DistanceFunction.EuclideanDistance, 4, "a, c, d")]
    public async Task A_threshold_is_a_least_similarity_or_a_greatest_distance(string function, double threshold, string expected)
    {
        using VectorStoreCollection<object, Dictionary<string, object?>> points = await DynamicAsync(function);
        var options = new VectorSearchOptions<Dictionary<string, object?>> { ScoreThreshold = threshold };
        Assert.That(string.Join(", ", (await ListAsync(points.SearchAsync(s_query, 4, options))).Select(one => one.Record["Name"])), Is.EqualTo(expected));
    }

    [Test]
    public async Task What_this_store_does_not_have_is_refused_by_name()
    {
        using var store = new InMemoryVectorStore();
        VectorStoreCollectionDefinition Definition(string? function, string? index, Type type) => new()
        {
            Properties =
            [
                new VectorStoreKeyProperty("Id", typeof(int)),
                new VectorStoreVectorProperty("Vector", type, 2) { DistanceFunction = function, IndexKind = index },
            ],
        };
        Assert.That(() => store.GetDynamicCollection("x", Definition("Jaccard", null, typeof(float[]))),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("Vector asks for the distance function Jaccard; this store has CosineSimilarity,"));
        Assert.That(() => store.GetDynamicCollection("x", Definition(null, IndexKind.Hnsw, typeof(float[]))),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("Vector asks for the index Hnsw; this store searches flat."));
        Assert.That(() => store.GetDynamicCollection("x", Definition(null, null, typeof(double[]))),
            Throws.InvalidOperationException.With.Message.Contains("Vector"));
        Assert.That(() => store.GetCollection<string, Dictionary<string, object?>>("x"),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("GetDynamicCollection"));
        using InMemoryVectorCollection<int, Point> none = store.GetCollection<int, Point>("none");
        Assert.That(async () => await none.GetAsync(1), Throws.TypeOf<VectorStoreException>().With.Message.Contains("The collection none does not exist."));
        await none.EnsureCollectionExistsAsync();
        using InMemoryVectorCollection<long, LongPoint> other = store.GetCollection<long, LongPoint>("none");
        Assert.That(async () => await other.GetAsync(1L),
            Throws.TypeOf<VectorStoreException>().With.Message.Contains("holds Int32 → Point; it was asked for as Int64 → LongPoint"));
    }

    [Test]
    public async Task Records_are_copied_in_and_out_and_vectors_come_when_asked_for()
    {
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        var mine = new Point { Id = 9, Name = "mine", Vector = new float[] { 1, 1 } };
        await points.UpsertAsync(mine);
        mine.Name = "changed";
        Point? found = await points.GetAsync(9);
        Assert.That((found!.Name, found.Vector.Length), Is.EqualTo(("mine", 0)));
        found.Name = "changed, too";
        found = await points.GetAsync(9, new RecordRetrievalOptions { IncludeVectors = true });
        Assert.That((found!.Name, found.Vector.ToArray()), Is.EqualTo(("mine", new float[] { 1, 1 })));
        Assert.That(await points.GetAsync(10), Is.Null);
    }

    [Test]
    public async Task Upsert_replaces_and_delete_removes_whatever_row_it_is()
    {
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        await points.UpsertAsync(new Point { Id = 2, Name = "b2", Vector = new float[] { 30, 40.1f } });
        await points.DeleteAsync(1);
        await points.DeleteAsync([1, 77]);
        Assert.That(await NamesAsync(points.SearchAsync(s_query, 9)), Is.EqualTo(new[] { "c", "b2", "d" }));
        Assert.That((await points.GetAsync(4))!.Name, Is.EqualTo("d"));
        await points.DeleteAsync([4, 3, 2]);
        Assert.That(await NamesAsync(points.SearchAsync(s_query, 9)), Is.Empty);
        await points.UpsertAsync(s_points);
        Assert.That(await NamesAsync(points.SearchAsync(s_query, 2)), Is.EqualTo(new[] { "a", "c" }));
    }

    [Test]
    public async Task Filters_skips_and_orders_are_honoured()
    {
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        var options = new VectorSearchOptions<Point> { Filter = point => point.Id > 1 };
        Assert.That(await NamesAsync(points.SearchAsync(s_query, 2, options)), Is.EqualTo(new[] { "c", "d" }));
        options.Skip = 1;
        Assert.That(await NamesAsync(points.SearchAsync(s_query, 1, options)), Is.EqualTo(new[] { "d" }));
        List<Point> ordered = await ListAsync(
            points.GetAsync(point => point.Id != 2, top: 2, new() { Skip = 1, OrderBy = by => by.Descending(point => point.Name) }));
        Assert.That(ordered.Select(one => one.Name), Is.EqualTo(new[] { "c", "a" }));
    }

    [TestCase(new float[] { 1 }, "Vector of 7 has 1 numbers; the collection's vectors have 2.")]
    [TestCase(new[] { 1, float.NaN }, "Vector of 7 has the length NaN; a vector of finite numbers is needed.")]
    public async Task A_record_that_cannot_be_added_keeps_all_out(float[] vector, string message)
    {
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        Point[] records = [new() { Id = 6, Name = "good", Vector = new float[] { 1, 1 } }, new() { Id = 7, Name = "bad", Vector = vector }];
        Assert.That(async () => await points.UpsertAsync(records), Throws.ArgumentException.With.Message.StartsWith(message));
        Assert.That(await points.GetAsync(6), Is.Null);
        Assert.That(async () => await ListAsync(points.SearchAsync(vector, 1)), Throws.ArgumentException.With.Message.Contains("the query"));
    }

    [Test]
    public async Task A_record_without_a_vector_is_kept_and_never_found_by_one()
    {
        using VectorStoreCollection<object, Dictionary<string, object?>> points = await DynamicAsync(DistanceFunction.DotProductSimilarity);
        await points.UpsertAsync(new Dictionary<string, object?> { ["Id"] = 5, ["Name"] = "none", ["Vector"] = null });
        Assert.That((await points.GetAsync(5))!["Name"], Is.EqualTo("none"));
        string path = Path.Combine(Demo.Scratch(), "points.safetensors");
        await ((InMemoryVectorCollection<object, Dictionary<string, object?>>)points).SaveAsync(path, JsonSerializerOptions.Default);
        await points.DeleteAsync([1, 2, 3, 4, 5]);
        await ((InMemoryVectorCollection<object, Dictionary<string, object?>>)points).LoadAsync(path, JsonSerializerOptions.Default);
        Assert.That((await points.GetAsync(5, new() { IncludeVectors = true }))!.GetValueOrDefault("Vector"), Is.Null);
        Assert.That((await ListAsync(points.SearchAsync(s_query, 9))).Select(one => one.Record["Name"]), Is.EqualTo(new[] { "a", "c", "d", "b" }));
    }

    [Test]
    public async Task A_search_over_many_blocks_and_threads_finds_what_a_loop_finds([Values(1, 2, 5)] int threads)
    {
        const int Count = 9000, Width = 384, Top = 25;
        var random = new Random(1);
        float[][] vectors = [.. Enumerable.Range(0, Count).Select(_ => Enumerable.Range(0, Width).Select(_ => (float)random.NextDouble() - 0.5f).ToArray())];
        using var store = new InMemoryVectorStore(new InMemoryVectorStoreOptions { MaxThreads = threads });
        using var points = store.GetDynamicCollection("many", Definition(DistanceFunction.EuclideanDistance, Width));
        await points.EnsureCollectionExistsAsync();
        await points.UpsertAsync(vectors.Select((vector, i) => new Dictionary<string, object?> { ["Id"] = i, ["Name"] = "", ["Vector"] = vector }));
        float[] query = vectors[4321];
        double Distance(float[] vector) => Math.Sqrt(vector.Zip(query, (x, y) => ((double)x - y) * ((double)x - y)).Sum());
        int[] expected = [.. Enumerable.Range(0, Count).OrderBy(i => Distance(vectors[i])).Take(Top)];
        List<VectorSearchResult<Dictionary<string, object?>>> found = await ListAsync(points.SearchAsync(query, Top));
        Assert.That(found.Select(one => one.Record["Id"]), Is.EqualTo(expected));
        Assert.That(found.Select(one => one.Score), Is.EqualTo(expected.Select(i => (double?)Distance(vectors[i]))).Within(1e-4));
        Assert.That(async () => await ListAsync(points.SearchAsync(query, Top, new() { Filter = record => Fails(record) })),
            Throws.TypeOf<TimeoutException>().With.Message.EqualTo("the app's"), "whatever the threads");
    }

    private static bool Fails(Dictionary<string, object?> record) => throw new TimeoutException("the app's");

    [Test]
    public async Task Texts_are_embedded_by_the_generator_all_in_one_call_and_searched_by_texts()
    {
        using var generator = new LetterCounts();
        using var store = new InMemoryVectorStore(new InMemoryVectorStoreOptions { EmbeddingGenerator = generator });
        using InMemoryVectorCollection<string, Note> notes = store.GetCollection<string, Note>("notes");
        await notes.EnsureCollectionExistsAsync();
        await notes.UpsertAsync([new Note { Key = "1", Text = "aaab" }, new Note { Key = "2", Text = "bbb" }, new Note { Key = "3", Text = "ab" }]);
        Assert.That(generator.Calls, Is.EqualTo(new[] { 3 }));
        List<VectorSearchResult<Note>> found = await ListAsync(notes.SearchAsync("bb", 2));
        Assert.That(found.Select(one => (one.Record.Key, one.Record.Text)), Is.EqualTo(new[] { ("2", "bbb"), ("3", "ab") }));
        Assert.That(found[1].Score, Is.EqualTo(Math.Sqrt(0.5)).Within(1e-6));
        Assert.That(async () => await ListAsync(notes.SearchAsync("bb", 2, new() { IncludeVectors = true })), Throws.TypeOf<NotSupportedException>());
        using var without = new InMemoryVectorStore();
        using var points = without.GetDynamicCollection("p", Definition(null, 2));
        await points.EnsureCollectionExistsAsync();
        Assert.That(async () => await ListAsync(points.SearchAsync("bb", 2)), Throws.InvalidOperationException);
    }

    [Test]
    public async Task A_collection_comes_back_from_its_file()
    {
        string path = Path.Combine(Demo.Scratch(), Checkpoint.SingleFileName);
        using InMemoryVectorCollection<int, Point> saved = await PointsAsync();
        await saved.SaveAsync(path, JsonSerializerOptions.Default);
        using var store = new InMemoryVectorStore();
        using InMemoryVectorCollection<int, Point> loaded = store.GetCollection<int, Point>("points");
        await loaded.LoadAsync(path, JsonSerializerOptions.Default);
        Assert.That(await NamesAsync(loaded.SearchAsync(s_query, 4)), Is.EqualTo(new[] { "a", "c", "d", "b" }));
        Assert.That((await loaded.GetAsync(3, new() { IncludeVectors = true }))!.Vector.ToArray(), Is.EqualTo(new[] { 1.5f, 2 }));

        // The vectors are a tensor that any reader of safetensors finds.
        using Checkpoint checkpoint = Checkpoint.Open(Path.GetDirectoryName(path)!);
        Assert.That(checkpoint.Weights["Vector"].Shape, Is.EqualTo(new[] { 4, 2 }));
    }

    [Test]
    public async Task A_file_that_is_no_such_collection_is_refused()
    {
        string path = Path.Combine(Demo.Scratch(), "points.safetensors");
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        await points.SaveAsync(path, JsonSerializerOptions.Default);
        byte[] whole = File.ReadAllBytes(path);
        async Task RefusedAsync(byte[] bytes, string message)
        {
            File.WriteAllBytes(path, bytes);
            Assert.That(async () => await points.LoadAsync(path, JsonSerializerOptions.Default),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains(message));
        }
        await RefusedAsync(whole[..^3], "bytes; its header needs");
        await RefusedAsync(whole[..5], "ends after 5 bytes");
        await RefusedAsync([.. "This is no such file, it is a text."u8], "It is no file of this store");
        await RefusedAsync(File.ReadAllBytes(Path.Combine(Demo.Embed, "model.safetensors")), "is no");
        using InMemoryVectorCollection<int, Point> wide = new InMemoryVectorStore().GetCollection<int, Point>("wide", new VectorStoreCollectionDefinition
        {
            Properties =
            [
                new VectorStoreKeyProperty("Id", typeof(int)), new VectorStoreDataProperty("Name", typeof(string)),
                new VectorStoreVectorProperty("Vector", typeof(ReadOnlyMemory<float>), 3),
            ],
        });
        File.WriteAllBytes(path, whole);
        Assert.That(async () => await wide.LoadAsync(path, JsonSerializerOptions.Default),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("of the shape [4, 2]; the collection wide needs [records, 3]"));
    }

    // What Upsert refuses does not come in by a file either: 1e30 squared is more than a float holds.
    [TestCase(float.PositiveInfinity, 0)]
    [TestCase(float.NaN, 0)]
    [TestCase(0, float.NaN)]
    [TestCase(1e30f, 0)]
    public async Task A_vector_of_a_file_that_no_collection_takes_is_refused_and_nothing_is_added(float first, float second)
    {
        string path = Path.Combine(Demo.Scratch(), "points.safetensors");
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        await points.SaveAsync(path, JsonSerializerOptions.Default);
        byte[] bytes = File.ReadAllBytes(path);
        int at = sizeof(long) + BitConverter.ToInt32(bytes) + (2 * 2 * sizeof(float));
        BitConverter.GetBytes(first).CopyTo(bytes, at);
        BitConverter.GetBytes(second).CopyTo(bytes, at + sizeof(float));
        File.WriteAllBytes(path, bytes);
        using InMemoryVectorCollection<int, Point> loaded = new InMemoryVectorStore().GetCollection<int, Point>("points");
        await loaded.EnsureCollectionExistsAsync();
        Assert.That(async () => await loaded.LoadAsync(path, JsonSerializerOptions.Default),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("in row 2 of Vector a vector of the length "));
        Assert.That(await ListAsync(loaded.GetAsync(point => true, 9)), Is.Empty);
    }

    [TestCase("\"shape\":[4,2]", "\"shape\":[-4,2]", "of the shape [-4, 2]")]
    [TestCase("\"shape\":[4,2]", "\"shape\":[2305843009213693952,2]", "of the shape [2305843009213693952, 2]")]
    [TestCase("\"shape\":[4,2]", "\"shape\":[4]", "of the shape [4]")]
    [TestCase("\"__records__\":{\"dtype\":\"U8\",\"shape\":[80]", "\"__records__\":{\"dtype\":\"U8\",\"shape\":[]", "records of the shape []")]
    [TestCase("\"__records__\":{\"dtype\":\"U8\",\"shape\":[80]", "\"__records__\":{\"dtype\":\"U8\",\"shape\":[-80]", "records of the shape [-80]")]
    public async Task A_header_with_impossible_shapes_is_refused(string found, string instead, string message)
    {
        string path = Path.Combine(Demo.Scratch(), "points.safetensors");
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        await points.SaveAsync(path, JsonSerializerOptions.Default);
        byte[] whole = File.ReadAllBytes(path);
        int length = BitConverter.ToInt32(whole);
        string header = System.Text.Encoding.UTF8.GetString(whole, 8, length);
        Assert.That(header, Does.Contain(found));
        byte[] changed = System.Text.Encoding.UTF8.GetBytes(header.Replace(found, instead, StringComparison.Ordinal));
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)changed.Length), .. changed, .. whole[(8 + length)..]]);
        Assert.That(async () => await points.LoadAsync(path, JsonSerializerOptions.Default),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(message));
    }

    [Test]
    public async Task A_collection_without_vectors_comes_back_from_its_file()
    {
        string path = Path.Combine(Demo.Scratch(), "names.safetensors");
        var definition = new VectorStoreCollectionDefinition
        {
            Properties = [new VectorStoreKeyProperty("Id", typeof(string)), new VectorStoreDataProperty("Name", typeof(string))],
        };
        using var store = new InMemoryVectorStore();
        using InMemoryVectorCollection<object, Dictionary<string, object?>> names = store.GetDynamicCollection("names", definition);
        await names.EnsureCollectionExistsAsync();
        await names.UpsertAsync(new Dictionary<string, object?> { ["Id"] = "a", ["Name"] = "b" });
        await names.SaveAsync(path, JsonSerializerOptions.Default);
        await names.DeleteAsync("a");
        await names.LoadAsync(path, JsonSerializerOptions.Default);
        Assert.That((await names.GetAsync("a"))!["Name"], Is.EqualTo("b"));
        File.WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(
            System.Text.Encoding.UTF8.GetString(File.ReadAllBytes(path)).Replace("\"Id\":\"a\"", "\"Id\":null", StringComparison.Ordinal)));
        Assert.That(async () => await names.LoadAsync(path, JsonSerializerOptions.Default), Throws.TypeOf<InvalidDataException>());
    }

    [Test]
    public async Task Readers_and_writers_at_once_see_whole_records()
    {
        using InMemoryVectorCollection<int, Point> points = await PointsAsync();
        Task writer = Task.Run(async () =>
        {
            for (int round = 0; round < 300; round++)
            {
                await points.UpsertAsync(Enumerable.Range(10, 20).Select(id => new Point { Id = id, Name = $"{id}", Vector = new float[] { id, 1 } }));
                await points.DeleteAsync(Enumerable.Range(10, 20));
            }
        });
        while (!writer.IsCompleted)
        {
            foreach (VectorSearchResult<Point> found in await ListAsync(points.SearchAsync(s_query, 50, new() { IncludeVectors = true })))
                Assert.That(found.Record.Id < 10 || (found.Record.Name == $"{found.Record.Id}" && found.Record.Vector.Span[0] == found.Record.Id), Is.True);
        }
        await writer;
    }

    [Test]
    public async Task As_a_service_it_embeds_with_the_apps_generator()
    {
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator(Demo.Embed);
        services.AddInMemoryVectorStore();
        await using ServiceProvider provider = services.BuildServiceProvider();
        VectorStore store = provider.GetRequiredService<VectorStore>();
        using VectorStoreCollection<string, Snippet> snippets = store.GetCollection<string, Snippet>("snippets");
        await snippets.EnsureCollectionExistsAsync();
        await snippets.UpsertAsync(
        [
            new Snippet { Key = "sum", Code = "def total(numbers):\n    result = 0\n    for number in numbers:\n        result += number\n    return result" },
            new Snippet { Key = "read", Code = "def load(path):\n    with open(path) as file:\n        return file.read()" },
            new Snippet { Key = "sort", Code = "def ordered(items):\n    return sorted(items, key=lambda item: item.name)" },
        ]);
        Assert.That((await ListAsync(snippets.SearchAsync("Read the content of a file.", 1)))[0].Record.Key, Is.EqualTo("read"));
        Assert.That(await ListAsync(store.ListCollectionNamesAsync()), Is.EqualTo(new[] { "snippets" }));
        await store.EnsureCollectionDeletedAsync("snippets");
        Assert.That(await snippets.CollectionExistsAsync(), Is.False);
    }

    private static VectorStoreCollectionDefinition Definition(string? function, int width) => new()
    {
        Properties =
        [
            new VectorStoreKeyProperty("Id", typeof(int)), new VectorStoreDataProperty("Name", typeof(string)),
            new VectorStoreVectorProperty("Vector", typeof(float[]), width) { DistanceFunction = function },
        ],
    };

    private static async Task<VectorStoreCollection<object, Dictionary<string, object?>>> DynamicAsync(string function)
    {
        using var store = new InMemoryVectorStore();
        VectorStoreCollection<object, Dictionary<string, object?>> points = store.GetDynamicCollection("points", Definition(function, 2));
        await points.EnsureCollectionExistsAsync();
        await points.UpsertAsync(s_points.Select(point =>
            new Dictionary<string, object?> { ["Id"] = point.Id, ["Name"] = point.Name, ["Vector"] = point.Vector.ToArray() }));
        return points;
    }

    private static async Task<InMemoryVectorCollection<int, Point>> PointsAsync()
    {
        using var store = new InMemoryVectorStore();
        InMemoryVectorCollection<int, Point> points = store.GetCollection<int, Point>("points");
        await points.EnsureCollectionExistsAsync();
        await points.UpsertAsync(s_points);
        return points;
    }

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (T item in items)
            list.Add(item);
        return list;
    }

    private static async Task<string[]> NamesAsync(IAsyncEnumerable<VectorSearchResult<Point>> results) =>
        [.. (await ListAsync(results)).Select(one => one.Record.Name)];

    private sealed class Point
    {
        [VectorStoreKey]
        public int Id { get; set; }

        [VectorStoreData]
        public string Name { get; set; } = "";

        [VectorStoreVector(2)]
        public ReadOnlyMemory<float> Vector { get; set; }
    }

    private sealed class LongPoint
    {
        [VectorStoreKey]
        public long Id { get; set; }

        [VectorStoreVector(2)]
        public ReadOnlyMemory<float> Vector { get; set; }
    }

    private sealed class Note
    {
        [VectorStoreKey]
        public string Key { get; set; } = "";

        [VectorStoreVector(2)]
        public string Text { get; set; } = "";
    }

    private sealed class Snippet
    {
        [VectorStoreKey]
        public string Key { get; set; } = "";

        [VectorStoreVector(256)]
        public string Code { get; set; } = "";
    }

    /// <summary>How many a and how many b a text has.</summary>
    private sealed class LetterCounts : IEmbeddingGenerator<string, Embedding<float>>
    {
        public List<int> Calls { get; } = [];

        public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
            IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
        {
            string[] texts = [.. values];
            if (texts is not ["bb"])
                Calls.Add(texts.Length);
            return Task.FromResult(new GeneratedEmbeddings<Embedding<float>>(
                texts.Select(text => new Embedding<float>(new float[] { text.Count(letter => letter == 'a'), text.Count(letter => letter == 'b') }))));
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => serviceType.IsInstanceOfType(this) ? this : null;

        public void Dispose()
        {
        }
    }
}
