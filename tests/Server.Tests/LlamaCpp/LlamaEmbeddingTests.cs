namespace ManagedTransformers.Server.Tests;

/// <summary>POST /embedding and /embeddings of llama.cpp.</summary>
public sealed class LlamaEmbeddingTests : LlamaTests
{
    private static readonly string[] s_texts = ["Sort a list.", "Read a file."];

    [TestCase("/embedding", "content")]
    [TestCase("/embedding", "input")]
    [TestCase("/embeddings", "content")]
    public async Task Vectors_are_the_pipelines(string route, string name)
    {
        using var pipeline = SentenceEmbeddingPipeline.Load(LlamaServer.ModelPath("demo-embed"));
        IReadOnlyList<float[]> own = pipeline.Embed(s_texts, new EmbeddingOptions { Normalize = true });
        JsonElement answer = await Server.PostAsync(route, $$"""{"model": "demo-embed", "{{name}}": ["Sort a list.", "Read a file."]}""");
        Assert.That(answer.EnumerateArray().Select(one => Count(one, "index")), Is.EqualTo(new[] { 0, 1 }));
        for (int i = 0; i < 2; i++)
            Assert.That(VectorOf(answer[i]), Is.EqualTo(own[i]).Within(1e-5), $"text {i}");
        JsonElement one = await Server.PostAsync(route, $$"""{"{{name}}": "Sort a list."}""");
        Assert.That(VectorOf(one[0]), Is.EqualTo(own[0]).Within(1e-5));
    }

    [Test]
    public async Task Vectors_are_divided_by_the_norm_that_is_asked_for()
    {
        using var pipeline = SentenceEmbeddingPipeline.Load(LlamaServer.ModelPath("demo-embed"));
        float[] own = pipeline.Embed(["Sort a list."], new EmbeddingOptions { Normalize = false })[0];
        async Task<float[]> AskAsync(int norm) => VectorOf(
            (await Server.PostAsync("/embedding", $$"""{"content": "Sort a list.", "embd_normalize": {{norm}}}"""))[0]);
        Assert.That(await AskAsync(-1), Is.EqualTo(own).Within(1e-5));
        Assert.That((await AskAsync(0)).Max(Math.Abs), Is.EqualTo(32760).Within(0.01));
        Assert.That((await AskAsync(1)).Sum(Math.Abs), Is.EqualTo(1).Within(1e-5));
        Assert.That((await AskAsync(2)).Sum(x => x * x), Is.EqualTo(1).Within(1e-5));
        Assert.That((await AskAsync(3)).Sum(x => Math.Pow(Math.Abs(x), 3)), Is.EqualTo(1).Within(1e-5));
        Assert.That(LlamaEmbeddingRoute.Normalized([0, 0], 1), Is.EqualTo(new float[] { 0, 0 }));
    }

    [Test]
    public async Task Embeddings_without_v1_tell_the_protocol_by_the_field()
    {
        JsonElement openAI = await Server.PostAsync("/embeddings",
            """{"model": "demo-embed", "input": "Sort a list.", "encoding_format": "float", "dimensions": 64}""");
        Assert.That((openAI.GetProperty("object").GetString(), openAI.GetProperty("data")[0].GetProperty("embedding").GetArrayLength()),
            Is.EqualTo(("list", 64)));
        JsonElement native = await Server.PostAsync("/embeddings", """{"input": "Sort a list.", "embd_normalize": 2}""");
        Assert.That(VectorOf(native[0]), Has.Length.GreaterThan(64));
    }

    private static float[] VectorOf(JsonElement one) => [.. one.GetProperty("embedding")[0].EnumerateArray().Select(value => value.GetSingle())];
}
