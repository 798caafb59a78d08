using System.Text.Json;
using ManagedTransformers.Extensions.VectorData;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Fuzz;

/// <summary>The file of a collection of vectors.</summary>
internal static class CollectionTarget
{
    private static readonly string s_file = Scratch.File("collection");

    private static readonly Mutator s_mutator = new SafetensorsMutator(new JsonMutator("__records__", "__metadata__", "format", "collection",
        "managed-transformers-collection", "shape", "dtype", "data_offsets", "Vector", "Id", "Name", "Tags"));

    public static IEnumerable<FuzzTarget> All => [Target("vector-collection", hasVectors: true), Target("record-collection", hasVectors: false)];

    private static FuzzTarget Target(string name, bool hasVectors) => new(
        name, s_mutator, () => [Seed(0, hasVectors), Seed(3, hasVectors)], input => Read(input, hasVectors))
    {
        IsRefusal = static e => e is InvalidDataException, ShortRun = 1000,
    };

    private static InMemoryVectorCollection<object, Dictionary<string, object?>> Collection(bool hasVectors)
    {
        var definition = new VectorStoreCollectionDefinition
        {
            Properties =
            [
                new VectorStoreKeyProperty("Id", typeof(string)), new VectorStoreDataProperty("Name", typeof(int?)),
                new VectorStoreDataProperty("Tags", typeof(string[])),
            ],
        };
        if (hasVectors)
            definition.Properties.Add(new VectorStoreVectorProperty("Vector", typeof(ReadOnlyMemory<float>?), 2));
        return new InMemoryVectorStore().GetDynamicCollection("points", definition);
    }

    private static byte[] Seed(int count, bool hasVectors)
    {
        using InMemoryVectorCollection<object, Dictionary<string, object?>> points = Collection(hasVectors);
        points.EnsureCollectionExistsAsync().GetAwaiter().GetResult();
        for (int i = 0; i < count; i++)
        {
            var record = new Dictionary<string, object?> { ["Id"] = $"{i}", ["Name"] = i == 1 ? null : i, ["Tags"] = new[] { "a" } };
            if (hasVectors)
                record["Vector"] = i == 2 ? null : (ReadOnlyMemory<float>?)new float[] { i, 1 };
            points.UpsertAsync(record).GetAwaiter().GetResult();
        }
        points.SaveAsync(s_file, JsonSerializerOptions.Default).GetAwaiter().GetResult();
        return File.ReadAllBytes(s_file);
    }

    private static void Read(byte[] input, bool hasVectors)
    {
        File.WriteAllBytes(s_file, input);
        using InMemoryVectorCollection<object, Dictionary<string, object?>> points = Collection(hasVectors);
        points.LoadAsync(s_file, JsonSerializerOptions.Default).GetAwaiter().GetResult();
        points.SaveAsync(s_file, JsonSerializerOptions.Default).GetAwaiter().GetResult();
        byte[] saved = File.ReadAllBytes(s_file);
        points.LoadAsync(s_file, JsonSerializerOptions.Default).GetAwaiter().GetResult();
        points.SaveAsync(s_file, JsonSerializerOptions.Default).GetAwaiter().GetResult();
        Oracle.Require(File.ReadAllBytes(s_file).AsSpan().SequenceEqual(saved), "A collection that was read is saved otherwise");
    }
}
