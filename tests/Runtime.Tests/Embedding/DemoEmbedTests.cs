using System.Text.Json;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>demo-embed against an independent implementation in PyTorch with the same weights: pooling as its modules.json says.</summary>
public sealed class DemoEmbedTests
{
    private static IEnumerable<TestCaseData> Rows() => TestData.Rows("demo/embed.jsonl");

    private SentenceEmbeddingPipeline _pipeline = null!;

    [OneTimeSetUp]
    public void Load() => _pipeline = SentenceEmbeddingPipeline.Load(TestData.Model("demo-embed"));

    [OneTimeTearDown]
    public void Dispose() => _pipeline.Dispose();

    [TestCaseSource(nameof(Rows))]
    public void A_vector_equals_the_reference(JsonElement row)
    {
        float[] expected = [.. row.GetProperty("vector").EnumerateArray().Select(value => value.GetSingle())];
        float[] vector = _pipeline.Embed(row.GetProperty("text").GetString()!);
        Assert.That(vector, Is.EqualTo(expected).Within(3e-5), "1e-4 of the largest element, 0.3");
        Assert.That(vector.Sum(x => (double)x * x), Is.EqualTo(1).Within(1e-5));
    }
}
