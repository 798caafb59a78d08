using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Extensions.Tests;

/// <summary>The C# samples of docs/hosting.md, compiled and run.</summary>
public sealed class HostingDocumentTests : DocumentTest
{
    [Test]
    public async Task Sample_1_embeds()
    {
        // sample
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator("models/demo-embed");
        using ServiceProvider provider = services.BuildServiceProvider();

        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        GeneratedEmbeddings<Embedding<float>> embeddings = await generator.GenerateAsync(["Sort a list.", "Read a file."]);
        // end
        Assert.That(embeddings.Select(embedding => embedding.Vector.Length), Is.EqualTo(new[] { 256, 256 }));
    }

    [Test]
    public async Task Sample_2_fills_a_mask_and_streams()
    {
        // sample
        var services = new ServiceCollection();
        services.AddManagedTransformersPipeline<FillMaskPipeline>("models/demo-fill-mask", serviceKey: "fill");
        services.AddManagedTransformersPipeline<TextGenerator>("models/demo-codegen", new HostedModelOptions { MaxConcurrency = 2 });
        using ServiceProvider provider = services.BuildServiceProvider();

        var fillMask = provider.GetRequiredKeyedService<FillMaskPipeline>("fill");
        string token = fillMask.Predict("public static <mask> set(string $key, $value) {")[0].TokenText;

        var model = provider.GetRequiredService<HostedPipeline<TextGenerator>>();
        var options = new GenerationOptions { MaxNewTokens = 12 };
        string text = await model.RunAsync((generator, token) => generator.Generate("def hello_world():", options, token));
        await foreach (TextPiece piece in model.StreamAsync("def hello_world():", options))
            Console.Write(piece.Text);
        // end
        Assert.That((token, Output.ToString()), Is.EqualTo((" function", text)));
    }

    [Test]
    public async Task Sample_3_searches()
    {
        // sample
        var services = new ServiceCollection();
        services.AddManagedTransformersEmbeddingGenerator("models/demo-embed");
        services.AddInMemoryVectorStore();
        using ServiceProvider provider = services.BuildServiceProvider();

        VectorStore store = provider.GetRequiredService<VectorStore>();
        VectorStoreCollection<int, Snippet> snippets = store.GetCollection<int, Snippet>("snippets");
        await snippets.EnsureCollectionExistsAsync();
        await snippets.UpsertAsync(
        [
            new Snippet { Id = 1, Language = "python", Code = "def load(path):\n    with open(path) as file:\n        return file.read()" },
            new Snippet { Id = 2, Language = "python", Code = "def ordered(items):\n    return sorted(items, key=lambda item: item.name)" },
        ]);
        var inPython = new VectorSearchOptions<Snippet> { Filter = snippet => snippet.Language == "python" };
        await foreach (VectorSearchResult<Snippet> found in snippets.SearchAsync("Read the content of a file.", top: 1, inPython))
            Console.WriteLine($"{found.Record.Id}: {found.Score:F2}");
        // end
        Assert.That(Output.ToString(), Does.StartWith("1: 0."));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/hosting.md");

    private sealed class Snippet
    {
        [VectorStoreKey]
        public int Id { get; set; }

        [VectorStoreData]
        public string Language { get; set; } = "";

        [VectorStoreVector(256)]
        public string Code { get; set; } = "";
    }
}
