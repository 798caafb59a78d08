namespace ManagedTransformers.Server.Tests;

/// <summary>npm's <c>@continuedev/openai-adapters</c>, through which Continue speaks to servers.</summary>
public sealed class ContinueTests() : NodeClientTests("continue.mjs")
{
    [TestCase("whole")]
    [TestCase("llamaCppWhole")]
    public void A_text_is_the_generators_own(string call) => Assert.That(Text(Answer(call)), Is.EqualTo(Best(Prompt, 12)));

    [TestCase("streamed")]
    [TestCase("llamaCppStreamed")]
    public void A_streams_chunks_are_the_text(string call)
    {
        JsonElement[] chunks = [.. Answer(call).EnumerateArray()];
        Assert.That(string.Concat(chunks.Select(Text)), Is.EqualTo(Best(Prompt, 12)));
        Assert.That(chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
    }

    [Test]
    public void A_gap_is_filled()
    {
        JsonElement[] chunks = [.. Answer("fim").EnumerateArray()];
        string text = string.Concat(chunks.Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta").GetProperty("content").GetString()));
        Assert.That(text, Is.EqualTo(Generator.Infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n",
            new GenerationOptions { MaxNewTokens = 12, StopStrings = ["\n\n\n"] })));
    }

    [TestCase("embed")]
    [TestCase("llamaCppEmbed")]
    public void Vectors_are_the_pipelines(string call)
    {
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        float[][] vectors = [.. Answer(call).GetProperty("data").EnumerateArray()
            .Select(one => one.GetProperty("embedding").EnumerateArray().Select(value => value.GetSingle()).ToArray())];
        Assert.That(vectors, Is.EqualTo(pipeline.Embed(["Sort a list.", "Read a file."])).Within(1e-5));
    }

    [TestCase("list")]
    [TestCase("llamaCppList")]
    public void Models_are_listed(string call) => Assert.That(
        Answer(call).EnumerateArray().Select(model => model.GetProperty("id").GetString()), Does.Contain("demo-codegen"));

    [TestCase("rerank")]
    [TestCase("llamaCppRerank")]
    public void Documents_are_ranked(string call)
    {
        using var pipeline = RerankPipeline.Load(DemoServer.Reranker);
        Assert.That(Answer(call).GetProperty("results").EnumerateArray()
                .Select(one => (one.GetProperty("index").GetInt32(), one.GetProperty("relevance_score").GetSingle())),
            Is.EqualTo(pipeline.Rank("sort a list", ["read a file", "order the items"]).Select(own => (own.Index, own.Score))));
    }
}
