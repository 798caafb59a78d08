using System.Text.Json;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>demo-tag against an independent implementation in PyTorch with the same weights.</summary>
public sealed class DemoTagTests
{
    private TokenClassificationPipeline _tagger = null!;

    private static IEnumerable<TestCaseData> Rows() => TestData.Rows("demo/tag.jsonl");

    [OneTimeSetUp]
    public void Load() => _tagger = TokenClassificationPipeline.Load(TestData.Model("demo-tag"));

    [OneTimeTearDown]
    public void Dispose() => _tagger.Dispose();

    [TestCaseSource(nameof(Rows))]
    public void Labels_scores_and_spans_of_all_tokens_equal_the_reference(JsonElement row)
    {
        var options = new TokenClassificationOptions { Aggregation = AggregationStrategy.None, IgnoreLabels = [] };
        JsonElement[] tokens = [.. row.GetProperty("tokens").EnumerateArray()];
        IReadOnlyList<Entity> found = _tagger.Tag(row.GetProperty("text").GetString()!, options);
        Assert.That(found.Select(entity => (entity.Label, entity.CodePointStart, entity.CodePointEnd)), Is.EqualTo(tokens.Select(token =>
            (token.GetProperty("label").GetString(), token.GetProperty("start").GetInt32(), token.GetProperty("end").GetInt32()))));
        Assert.That(found.Select(entity => entity.Score), Is.EqualTo(tokens.Select(token => token.GetProperty("score").GetSingle())).Within(2e-5));
    }

    [TestCaseSource(nameof(Rows))]
    public void Entities_equal_the_reference(JsonElement row)
    {
        JsonElement[] entities = [.. row.GetProperty("entities").EnumerateArray()];
        var options = new TokenClassificationOptions { Aggregation = AggregationStrategy.Simple };
        IReadOnlyList<Entity> found = _tagger.Tag(row.GetProperty("text").GetString()!, options);
        Assert.That(found.Select(entity => (entity.Label, entity.CodePointStart, entity.CodePointEnd, entity.Text)), Is.EqualTo(entities.Select(entity =>
            (entity.GetProperty("entity_group").GetString(), entity.GetProperty("start").GetInt32(), entity.GetProperty("end").GetInt32(),
                entity.GetProperty("text").GetString()))));
        Assert.That(found.Select(entity => entity.Score), Is.EqualTo(entities.Select(entity => entity.GetProperty("score").GetSingle())).Within(2e-5));
    }
}
