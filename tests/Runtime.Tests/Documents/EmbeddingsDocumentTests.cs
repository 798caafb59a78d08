using ManagedTransformers.Testing;
using Microsoft.Extensions.AI;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>The C# samples of docs/embeddings.md, compiled and run.</summary>
public sealed class EmbeddingsDocumentTests : DocumentTest
{
    [Test]
    public void Sample_1_embeds_and_compares()
    {
        // sample
        using var embedder = SentenceEmbeddingPipeline.Load("models/demo-fill-mask");
        IReadOnlyList<float[]> vectors = embedder.Embed(["def f(): pass", "fn main() {}"]);
        double alike = embedder.Similarity(vectors[0], vectors[1]);                     // as the checkpoint compares them
        float[] query = embedder.Embed("sort a list", new EmbeddingOptions { Prompt = "query: " });
        float[] joined = embedder.Embed("sort a list", new EmbeddingOptions { Pooling = [Pooling.Mean, Pooling.Max], Normalize = true });
        // end
        Assert.That(alike, Is.EqualTo(0.523).Within(1e-3));
        Assert.That(query, Is.EqualTo(embedder.Embed("query: sort a list")));
        Assert.That(joined, Has.Length.EqualTo(512));
    }

    [Test]
    public async Task Sample_2_generates_embeddings_for_Microsoft_Extensions_AI()
    {
        // sample
        using var embedder = SentenceEmbeddingPipeline.Load("models/demo-fill-mask");
        IEmbeddingGenerator<string, Embedding<float>> generator = embedder;
        var asQuery = new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new EmbeddingOptions { Prompt = "query: " } };
        Embedding<float> embedding = (await generator.GenerateAsync(["sort a list"], asQuery))[0];
        // end
        Assert.That(embedding.Vector.ToArray(), Is.EqualTo(embedder.Embed("query: sort a list")));
    }

    [Test]
    public void The_samples_are_those_of_the_document() => DocumentSamples.AssertSame("docs/embeddings.md");

    [Test]
    public void Every_sample_compiles_as_it_is_shown() => SampleCompiler.AssertCompiles("docs/embeddings.md");
}
