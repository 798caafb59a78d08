namespace ManagedTransformers.Server.Tests;

/// <summary>npm's <c>@huggingface/inference</c>, the hub's client for JavaScript, with an endpoint's address.</summary>
public sealed class HuggingFaceNodeTests() : NodeClientTests("huggingface.mjs")
{
    private const string Code = "def add(a, b): return a", Masked = "import <mask>";

    [TestCase("fillMask")]
    [TestCase("fillMaskAtRoot")]
    public void Masks_are_filled(string call)
    {
        using var pipeline = FillMaskPipeline.Load(ModelPath("demo-fill-mask"));
        FillMaskOptions options = call == "fillMask" ? new() { TopK = 3 } : new() { Targets = ["os", "sys"] };
        Assert.That(
            Each(Answer(call),
                one => (one.GetProperty("token_str").GetString(), one.GetProperty("sequence").GetString(), one.GetProperty("score").GetSingle())),
            Is.EqualTo(pipeline.Predict(Masked, options).Select(own => (own.TokenText, own.Sequence, own.Score))));
    }

    [Test]
    public void Spans_are_the_pipelines()
    {
        const string Text = "mail ada@example.org to Ada";
        using var pipeline = TokenClassificationPipeline.Load(ModelPath("demo-tag"));
        Entity[] own = [.. pipeline.Tag(Text, new TokenClassificationOptions { Aggregation = AggregationStrategy.Simple })];
        Assert.That(own, Is.Not.Empty);
        Assert.That(Each(Answer("tokenClassification"), one => (one.GetProperty("entity_group").GetString(), one.GetProperty("word").GetString(),
            one.GetProperty("start").GetInt32(), one.GetProperty("end").GetInt32())), Is.EqualTo(own.Select(one => (one.Label, one.Text, one.Start, one.End))));
    }

    [Test]
    public void Labels_are_the_pipelines()
    {
        using var pipeline = TextClassificationPipeline.Load(ModelPath("demo-language-id"));
        Assert.That(Each(Answer("textClassification"), one => (one.GetProperty("label").GetString(), one.GetProperty("score").GetSingle())),
            Is.EqualTo(pipeline.Classify(Code, null, new TextClassificationOptions { TopK = 2 }).Select(own => (own.Label, own.Score))));
    }

    [Test]
    public void Vectors_are_the_pipelines()
    {
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        IReadOnlyList<float[]> own = pipeline.Embed(["Sort a list.", "Read a file.", "Order items."]);
        Assert.That(Each(Answer("featureExtraction"), value => value.GetSingle()), Is.EqualTo(own[0]).Within(1e-5));
        Assert.That(Each(Answer("featureExtractionOfList"), vector => Each(vector, value => value.GetSingle())), Is.EqualTo(own.Take(2)).Within(1e-5));
        Assert.That(Each(Answer("sentenceSimilarity"), value => value.GetSingle()),
            Is.EqualTo(new[] { own[2], own[1] }.Select(vector => vector.Zip(own[0], (a, b) => a * b).Sum())).Within(1e-5));
    }

    [TestCase("textGeneration")]
    [TestCase("textGenerationOfModel")]
    public void A_text_is_the_generators_own(string call) =>
        Assert.That(Answer(call).GetProperty("generated_text").GetString(), Is.EqualTo(Best(Prompt, 12)));

    // The client gives the chunks as they come, which are OpenAI's.
    [Test]
    public void A_streams_chunks_are_the_text() =>
        Assert.That(string.Concat(Each(Answer("textGenerationStream"), Text)), Is.EqualTo(Best(Prompt, 12)));

    [TestCase("wrongValue", 422, "Field 'parameters.top_k': Value must be between 1 <= value")]
    [TestCase("unknownModel", 404, "demo-fill-mask")]
    [TestCase("wrongKey", 401, "Invalid API key")]
    public void What_is_wrong_is_in_the_clients_error(string call, int status, string message)
    {
        (string Name, int Status, string Message) error = Error(call);
        Assert.That((error.Name, error.Status), Is.EqualTo(("InferenceClientProviderApiError", status)));
        Assert.That(error.Message, Does.Contain(message));
    }

    private static T[] Each<T>(JsonElement list, Func<JsonElement, T> read) => [.. list.EnumerateArray().Select(read)];
}
