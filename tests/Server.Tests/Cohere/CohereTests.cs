using System.Net;
using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>Cohere's rerank against the pipeline.</summary>
public sealed class CohereTests
{
    private const string Query = "read a file", Listed = """["import os", "with open(path) as f:", "return 1"]""";
    private static readonly string[] s_documents = ["import os", "with open(path) as f:", "return 1"];
    private RerankPipeline _rerank = null!;

    [OneTimeSetUp]
    public void Load() => _rerank = RerankPipeline.Load(Reranker);

    [OneTimeTearDown]
    public void Unload() => _rerank.Dispose();

    [TestCase("/v1/rerank", "1")]
    [TestCase("/v2/rerank", "2")]
    [TestCase("/rerank", "2")]
    public async Task Documents_are_sorted_by_relevance(string route, string version)
    {
        IReadOnlyList<RerankScore> own = _rerank.Rank(Query, s_documents);
        JsonElement answer = await PostAsync(route, $$"""{"model": "demo-rerank", "query": "{{Query}}", "documents": {{Listed}}}""");
        JsonElement[] results = [.. answer.GetProperty("results").EnumerateArray()];
        Assert.That(results.Select(one => one.GetProperty("index").GetInt32()), Is.EqualTo(own.Select(one => one.Index)));
        Assert.That(results.Select(one => one.GetProperty("relevance_score").GetSingle()), Is.EqualTo(own.Select(one => one.Score)));
        Assert.That(results[0].TryGetProperty("document", out _), Is.False);
        int tokens = s_documents.Sum(document => _rerank.Tokenizer.EncodeToIds(Query, document).Length);
        Assert.That(answer.GetProperty("usage").GetProperty("total_tokens").GetInt32(), Is.EqualTo(tokens));
        Assert.That(answer.GetProperty("meta").GetRawText(),
            Is.EqualTo($$$"""{"api_version":{"version":"{{{version}}}"},"tokens":{"input_tokens":{{{tokens}}}}}"""));
        Assert.That((answer.GetProperty("model").GetString(), answer.GetProperty("id").GetString()!.Length), Is.EqualTo(("demo-rerank", 36)));
    }

    [Test]
    public async Task Top_n_are_given_with_their_documents()
    {
        IReadOnlyList<RerankScore> own = _rerank.Rank(Query, s_documents, topN: 2);
        JsonElement answer = await PostAsync("/v1/rerank", $$"""
            {"query": "{{Query}}", "documents": ["import os", {"text": "with open(path) as f:"}, "return 1"], "top_n": 2, "return_documents": true}
            """);
        Assert.That(answer.GetProperty("results").EnumerateArray().Select(one => one.GetProperty("document").GetProperty("text").GetString()),
            Is.EqualTo(own.Select(one => one.Document)));
    }

    [Test]
    public async Task Documents_are_cut_to_tokens_and_to_what_the_model_reads()
    {
        const string Long = "with open(path) as f: read everything of it";
        TokenEncoding tokens = _rerank.Tokenizer.Encode(Long, null, EncodeOptions.Plain);
        float own = _rerank.Rank(Query, [Long[..tokens.Utf16Offsets[3].End]])[0].Score;
        JsonElement cut = await PostAsync("/v1/rerank", $$"""{"query": "{{Query}}", "documents": ["{{Long}}"], "max_tokens_per_doc": 4}""");
        Assert.That(cut.GetProperty("results")[0].GetProperty("relevance_score").GetSingle(), Is.EqualTo(own));
        string longer = string.Concat(Enumerable.Repeat("x = 1; ", 300));
        JsonElement all = await PostAsync("/v2/rerank", $$"""{"query": "{{Query}}", "documents": ["{{longer}}"]}""");
        Assert.That(all.GetProperty("results")[0].GetProperty("relevance_score").GetSingle(),
            Is.EqualTo(_rerank.Rank(Query, [longer], truncation: true)[0].Score));
        Assert.That(all.GetProperty("usage").GetProperty("total_tokens").GetInt32(), Is.EqualTo(_rerank.MaxTokens));
    }

    [TestCase("""{"query": "a"}""", 400, "Field 'documents' is needed")]
    [TestCase("""{"query": "a", "documents": []}""", 400, "`documents` cannot be empty")]
    [TestCase("""{"documents": ["a"]}""", 400, "`query` cannot be empty")]
    [TestCase("""{"query": "a", "documents": "b"}""", 400, "type must be array of string or object, but is string")]
    [TestCase("""{"query": "a", "documents": [{"title": "b"}]}""", 400, "`documents.text` cannot be empty")]
    [TestCase("""{"query": "a", "documents": [{"text": "b", "title": "c"}]}""", 400, "Field 'documents.title' is not known here")]
    [TestCase("""{"query": "a", "documents": ["b"], "top_n": 0}""", 400, "Value must be between 1 <= value <= 2147483647, but got 0")]
    [TestCase("""{"query": "a", "documents": ["b"], "model": "rerank-v3.5"}""", 404, "rerank-v3.5")]
    [TestCase("""{"query": "a", "documents": ["b"], "model": "demo-embed"}""", 400, "These can: demo-rerank")]
    [TestCase("""{"query": "a", "documents": ["b"], "rank_fields": ["title"]}""", 400, "Field 'rank_fields' is not supported: ")]
    [TestCase("""{"query": "a", "documents": ["b"], "max_chunks_per_doc": 3}""", 400, "Field 'max_chunks_per_doc' is not supported: ")]
    [TestCase("""{"query": "a", "documents": ["b"], "priority": 3}""", 400, "Field 'priority' is not supported: ")]
    public async Task What_is_wrong_is_said_in_Coheres_form(string body, int status, string message)
    {
        (HttpStatusCode found, JsonElement error, _) = await SendAsync("/v2/rerank", body);
        Assert.That((int)found, Is.EqualTo(status), error.GetRawText());
        Assert.That(error.EnumerateObject().Single().Name, Is.EqualTo("message"));
        Assert.That(error.GetProperty("message").GetString(), Does.Contain(message));
    }

    [Test]
    public async Task Rerank_of_documents_has_errors_in_Coheres_form()
    {
        (HttpStatusCode status, JsonElement error, _) = await SendAsync("/rerank", """{"query": "a", "documents": [5]}""");
        Assert.That(((int)status, error.GetRawText()), Is.EqualTo((400, """{"message":"Field 'documents': type must be array of object, but is number"}""")));
    }

    [Test]
    public async Task Texts_and_documents_at_once_are_refused()
    {
        (HttpStatusCode status, JsonElement error, _) = await SendAsync("/rerank", """{"query": "a", "texts": ["b"], "documents": ["c"]}""");
        Assert.That(((int)status, error.GetProperty("error").GetString()),
            Is.EqualTo((422, "Field 'documents' does not go together with the others of this request.")));
    }
}
