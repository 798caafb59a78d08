using System.Text.Json;
using ManagedTransformers.Extensions.VectorData;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Writers;

/// <summary>Writes what no command of mtx writes, in a process that tests/Cli.Tests/CrashPoints kills. Exit code 3 where it cannot.</summary>
public static class Writer
{
    public static async Task<int> Main(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        try
        {
            switch (args)
            {
                case ["collection", var path]:
                    await WriteCollectionAsync(path).ConfigureAwait(false);
                    return 0;
                case ["save", var source, var directory]:
                    using (PretrainedModel model = PretrainedModels.Load(source))
                        model.Save(directory);
                    return 0;
                case ["vocabulary", var source, var directory]:
                    CodeGenTokenizer.Load(source).SaveVocabulary(directory);
                    return 0;
                default:
                    return 2;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return 3;
        }
    }

    private static async Task WriteCollectionAsync(string path)
    {
        using var store = new InMemoryVectorStore();
        using InMemoryVectorCollection<int, Point> points = store.GetCollection<int, Point>("points");
        await points.EnsureCollectionExistsAsync().ConfigureAwait(false);
        for (int i = 0; i < 300; i++)
            await points.UpsertAsync(new Point { Id = i, Name = $"point {i}", Vector = Enumerable.Repeat((float)i, 64).ToArray() }).ConfigureAwait(false);
        await points.SaveAsync(path, JsonSerializerOptions.Default).ConfigureAwait(false);
    }

    private sealed class Point
    {
        [VectorStoreKey]
        public int Id { get; set; }

        [VectorStoreData]
        public string Name { get; set; } = "";

        [VectorStoreVector(64)]
        public ReadOnlyMemory<float> Vector { get; set; }
    }
}
