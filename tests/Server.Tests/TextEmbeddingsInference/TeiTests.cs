using System.Net;
using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>The routes of text-embeddings-inference against the pipelines.</summary>
public sealed class TeiTests
{
    private const string Sort = "Sort a list.", Read = "Read a file.";
    private SentenceEmbeddingPipeline _embed = null!, _prompts = null!;
    private RerankPipeline _rerank = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _embed = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        _prompts = SentenceEmbeddingPipeline.Load(Prompts);
        _rerank = RerankPipeline.Load(Reranker);
    }

    [OneTimeTearDown]
    public void Unload()
    {
        _embed.Dispose();
        _prompts.Dispose();
        _rerank.Dispose();
    }

    [Test]
    public async Task Vectors_are_the_pipelines_in_two_levels()
    {
        JsonElement one = await PostAsync("/embed", $$"""{"inputs": "{{Sort}}"}""");
        Assert.That(one.GetArrayLength(), Is.EqualTo(1));
        Assert.That(Numbers(one[0]), Is.EqualTo(_embed.Embed(Sort)).AsCollection, "bit for bit");
        JsonElement two = await PostAsync("/embed", $$"""
            {"inputs": ["{{Sort}}", "{{Read}}"], "truncate": true, "truncation_direction": "Right", "model": "demo-embed"}
            """);
        Assert.That(Numbers(two[1]), Is.EqualTo(_embed.Embed(Read)).Within(1e-6f));
        Assert.That(two.GetArrayLength(), Is.EqualTo(2));
    }

    [Test]
    public async Task Vectors_are_normalized_unless_asked_otherwise_and_cut_to_dimensions()
    {
        float[] unit = Numbers((await PostAsync("/embed", $$"""{"inputs": "{{Sort}}", "model": "demo-fill-mask"}"""))[0]);
        Assert.That(unit.Sum(x => x * x), Is.EqualTo(1).Within(1e-5));
        float[] raw = Numbers((await PostAsync("/embed", $$"""{"inputs": "{{Sort}}", "model": "demo-fill-mask", "normalize": false}"""))[0]);
        Assert.That(raw.Sum(x => x * x), Is.Not.EqualTo(1).Within(0.1));
        float[] cut = Numbers((await PostAsync("/embed", $$"""{"inputs": "{{Sort}}", "dimensions": 64}"""))[0]);
        Assert.That(cut, Is.EqualTo(_embed.Embed(Sort, new EmbeddingOptions { TruncateDim = 64 })).AsCollection);
    }

    [Test]
    public async Task Ids_of_a_text_are_the_text()
    {
        string ids = string.Join(",", _embed.Tokenizer.EncodeToIds(Sort));
        JsonElement all = await PostAsync("/embed", $$"""{"inputs": [[{{ids}}], "{{Read}}"]}""");
        Assert.That(Numbers(all[0]), Is.EqualTo(_embed.Embed(Sort)).Within(1e-6f));
        Assert.That(Numbers((await PostAsync("/embed", $$"""{"inputs": [{{ids}}]}"""))[0]), Is.EqualTo(_embed.Embed(Sort)).AsCollection);
        (HttpStatusCode status, JsonElement error, _) = await SendAsync("/embed", """{"inputs": [5, 6, 7]}""");
        Assert.That((int)status, Is.EqualTo(422));
        Assert.That(error.GetProperty("error").GetString(), Does.Contain("3 ids that are not those of their text"));
    }

    [Test]
    public async Task A_prompt_is_put_before_texts_by_its_name()
    {
        var passage = new EmbeddingOptions { PromptName = "passage", Normalize = true };
        float[] named = Numbers((await PostAsync("/embed", $$"""{"inputs": "{{Sort}}", "prompt_name": "passage", "model": "demo-prompts"}"""))[0]);
        Assert.That(named, Is.EqualTo(_prompts.Embed(Sort, passage)).AsCollection);
        using var features = FeatureExtractionPipeline.Create(_prompts);
        JsonElement tokens = await PostAsync("/embed_all", $$"""{"inputs": "{{Sort}}", "prompt_name": "passage", "model": "demo-prompts"}""");
        FloatTensor own = features.Extract($"passage: {Sort}");
        Assert.That(Numbers(tokens[0][2]), Is.EqualTo(own.Row(2).ToArray()).AsCollection);
        JsonElement read = await PostAsync("/tokenize", """{"inputs": "a", "add_special_tokens": false, "model": "demo-prompts"}""");
        Assert.That(string.Concat(read[0].EnumerateArray().Select(token => token.GetProperty("text").GetString())), Does.StartWith("query:"), "its default");
    }

    [Test]
    public async Task Embed_all_has_a_vector_for_each_token()
    {
        using var features = FeatureExtractionPipeline.Create(_embed);
        FloatTensor own = features.Extract(Sort);
        JsonElement all = await PostAsync("/embed_all", $$"""{"inputs": ["{{Sort}}"], "truncate": false}""");
        Assert.That((all.GetArrayLength(), all[0].GetArrayLength()), Is.EqualTo((1, own.Shape[1])));
        for (int token = 0; token < own.Shape[1]; token++)
            Assert.That(Numbers(all[0][token]), Is.EqualTo(own.Row(token).ToArray()).AsCollection, $"token {token}");
    }

    [Test]
    public async Task Labels_come_best_first_for_a_text_a_pair_and_a_batch()
    {
        using var pipeline = TextClassificationPipeline.Load(ModelPath("demo-language-id"));
        const string Code = "def f(a): return a";
        JsonElement one = await PostAsync("/predict", $$"""{"inputs": "{{Code}}"}""");
        IReadOnlyList<LabelScore> own = pipeline.Classify(Code);
        Assert.That(one.EnumerateArray().Select(label => label.GetProperty("label").GetString()), Is.EqualTo(own.Select(label => label.Label)));
        Assert.That(one.EnumerateArray().Select(label => label.GetProperty("score").GetSingle()), Is.EqualTo(own.Select(label => label.Score)));
        Assert.That(one[0].GetProperty("label").GetString(), Is.EqualTo("python"));
        JsonElement raw = await PostAsync("/predict", $$"""{"inputs": "{{Code}}", "raw_scores": true}""");
        Assert.That(raw[0].GetProperty("score").GetSingle(),
            Is.EqualTo(pipeline.Classify(Code, options: new TextClassificationOptions { Function = ClassificationFunction.None })[0].Score));
        JsonElement pair = await PostAsync("/predict", $$"""{"inputs": ["{{Code}}", "x = 1"], "model": "demo-language-id"}""");
        Assert.That(pair[0].GetProperty("score").GetSingle(), Is.EqualTo(pipeline.Classify(Code, "x = 1")[0].Score));
        JsonElement batch = await PostAsync("/predict", $$"""{"inputs": [["{{Code}}"], ["{{Code}}", "x = 1"]], "truncate": true}""");
        Assert.That(batch[1][0].GetProperty("score").GetSingle(), Is.EqualTo(pair[0].GetProperty("score").GetSingle()).Within(1e-6f));
        Assert.That(batch[0].GetArrayLength(), Is.EqualTo(6));
    }

    [Test]
    public async Task Texts_are_ranked_best_first()
    {
        string[] texts = ["import os", "with open(path) as f:", "return 1"];
        IReadOnlyList<RerankScore> own = _rerank.Rank("read a file", texts);
        string body = $$"""{"query": "read a file", "texts": {{JsonSerializer.Serialize(texts)}}, "truncation_direction": "Right", "truncate": true""";
        JsonElement plain = await PostAsync("/rerank", body + "}");
        Assert.That(plain.EnumerateArray().Select(one => one.GetProperty("index").GetInt32()), Is.EqualTo(own.Select(one => one.Index)));
        Assert.That(plain.EnumerateArray().Select(one => one.GetProperty("score").GetSingle()), Is.EqualTo(own.Select(one => one.Score)));
        Assert.That(plain[0].TryGetProperty("text", out _), Is.False);
        JsonElement raw = await PostAsync("/rerank", body + ", \"raw_scores\": true, \"return_text\": true, \"model\": \"demo-rerank\"}");
        float logit = raw[0].GetProperty("score").GetSingle();
        Assert.That(1 / (1 + MathF.Exp(-logit)), Is.EqualTo(own[0].Score).Within(1e-6f));
        Assert.That(raw[0].GetProperty("text").GetString(), Is.EqualTo(own[0].Document));
    }

    [Test]
    public async Task Similarities_are_cosines_with_the_source()
    {
        JsonElement all = await PostAsync("/similarity", $$$"""
            {"inputs": {"source_sentence": "{{{Sort}}}", "sentences": ["{{{Sort}}}", "{{{Read}}}"]},
             "parameters": {"truncate": true, "truncation_direction": "Right", "prompt_name": "passage"}, "model": "demo-prompts"}
            """);
        var passage = new EmbeddingOptions { PromptName = "passage" };
        Assert.That(all[0].GetSingle(), Is.EqualTo(1).Within(1e-6));
        Assert.That(all[1].GetSingle(), Is.EqualTo(_prompts.Similarity(_prompts.Embed(Sort, passage), _prompts.Embed(Read, passage))).Within(1e-6));
        Assert.That(all.GetArrayLength(), Is.EqualTo(2));
    }

    [Test]
    public async Task Tokens_have_their_places_and_go_back_to_their_text()
    {
        const string Text = "naïve 😀 x";
        JsonElement tokens = (await PostAsync("/tokenize", $$"""{"inputs": ["{{Text}}"]}"""))[0];
        TokenEncoding own = _embed.Tokenizer.Encode(Text);
        Assert.That(tokens.EnumerateArray().Select(token => token.GetProperty("id").GetInt32()), Is.EqualTo(own.Ids));
        JsonElement first = tokens[0], last = tokens[own.Length - 2];
        Assert.That(first.GetRawText(), Is.EqualTo("""{"id":0,"text":"<s>","special":true,"start":null,"stop":null}"""));
        Assert.That((last.GetProperty("start").GetInt32(), last.GetProperty("stop").GetInt32()), Is.EqualTo((8, 9)), "in code points");
        Assert.That(last.GetProperty("text").GetString(), Is.EqualTo("x"));
        JsonElement bare = (await PostAsync("/tokenize", $$"""{"inputs": "{{Text}}", "add_special_tokens": false, "model": "demo-embed"}"""))[0];
        Assert.That(bare.GetArrayLength(), Is.EqualTo(own.Length - 2));
        string ids = $"[{string.Join(",", own.Ids)}]";
        JsonElement text = await PostAsync("/decode", $$"""{"ids": {{ids}}}""");
        Assert.That(text.EnumerateArray().Select(one => one.GetString()), Is.EqualTo(new[] { Text }));
        text = await PostAsync("/decode", $$"""{"ids": [{{ids}}, [0]], "skip_special_tokens": false, "model": "demo-embed"}""");
        Assert.That(text.EnumerateArray().Select(one => one.GetString()), Is.EqualTo(new[] { $"<s>{Text}</s>", "<s>" }));
    }

    // Continue reads model_id and max_client_batch_size.
    [Test]
    public async Task Info_says_what_the_model_is_and_what_is_taken_at_once()
    {
        var info = JsonElement.Parse(await Client.GetStringAsync(new Uri("/info", UriKind.Relative)));
        Assert.That(info.GetProperty("model_id").GetString(), Is.EqualTo("demo-embed"));
        Assert.That(info.GetProperty("max_client_batch_size").GetInt32(), Is.EqualTo(MaxInputs));
        Assert.That(info.GetProperty("max_input_length").GetInt32(), Is.EqualTo(_embed.MaxTokens));
        Assert.That(info.GetProperty("model_type").GetRawText(), Is.EqualTo("""{"embedding":{"pooling":"mean"}}"""));
        Assert.That(info.GetProperty("model_dtype").GetString(), Is.EqualTo("float16"));
        Assert.That(info.GetProperty("auto_truncate").GetBoolean(), Is.True);
    }

    [Test]
    public async Task Answers_say_what_they_took()
    {
        (_, _, HttpResponseMessage answer) = await SendAsync("/embed", """{"inputs": ["😀ab", "x"]}""");
        string Header(string name) => answer.Headers.GetValues(name).Single();
        int tokens = _embed.Tokenizer.EncodeToIds("😀ab").Length + _embed.Tokenizer.EncodeToIds("x").Length;
        Assert.That((Header("x-compute-type"), Header("x-compute-characters"), Header("x-compute-tokens")), Is.EqualTo(("cpu", "4", $"{tokens}")));
        long total = long.Parse(Header("x-total-time"));
        Assert.That(total, Is.EqualTo(long.Parse(Header("x-compute-time"))));
        foreach (string part in new[] { "x-tokenization-time", "x-queue-time", "x-inference-time" })
            Assert.That(long.Parse(Header(part)), Is.InRange(0, total), part);
        (_, _, answer) = await SendAsync("/rerank", """{"query": "a b", "texts": ["c d", "e"]}""");
        tokens = _rerank.Tokenizer.EncodeToIds("a b", "c d").Length + _rerank.Tokenizer.EncodeToIds("a b", "e").Length;
        Assert.That((Header("x-compute-characters"), Header("x-compute-tokens")), Is.EqualTo(("10", $"{tokens}")));
    }

    [TestCase("/embed", """{"inputs": []}""", 400, "Empty", "`inputs` cannot be empty")]
    [TestCase("/embed", """{"inputs": ["a", ""]}""", 400, "Empty", "`inputs` cannot be empty")]
    [TestCase("/embed", """{}""", 422, "Validation", "Field 'inputs' is needed")]
    [TestCase("/embed", """{"inputs": 5}""", 422, "Validation", "type must be string or array, but is number")]
    [TestCase("/embed", """{"inputs": "a", "truncation_direction": "Left"}""", 422, "Validation", "'truncation_direction' is not supported as 'Left'")]
    [TestCase("/embed", """{"inputs": "a", "truncation_direction": "Up"}""", 422, "Validation", "must be Right or Left")]
    [TestCase("/embed", """{"inputs": "a", "prompt_name": "query"}""", 422, "Validation", "no prompt 'query'; it has none")]
    [TestCase("/embed", """{"inputs": "a", "dimensions": 257}""", 422, "Validation", "257; vectors of demo-embed have 256")]
    [TestCase("/embed", """{"inputs": "a", "normalise": true}""", 422, "Validation", "the nearest is 'normalize'")]
    [TestCase("/embed", """{"inputs": "a", "model": "demo-codegen"}""", 424, "Backend", "demo-codegen cannot do that")]
    [TestCase("/embed", """{"inputs": "a", "model": "demo-embde"}""", 404, "Validation", "demo-embed")]
    [TestCase("/embed", """{"inputs": ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]}""", 413, "Validation",
        "batch size 17 > maximum allowed batch size 16")]
    [TestCase("/embed", """{"inputs": "a" """, 422, "Validation", "The body is no JSON")]
    [TestCase("/embed_all", """{"inputs": [[1, "a"]]}""", 422, "Validation", "type must be integer, but is string")]
    [TestCase("/predict", """{"inputs": ["a", "b", "c"]}""", 422, "Validation", "3 texts: a text or a pair")]
    [TestCase("/predict", """{"inputs": [[]]}""", 400, "Empty", "`inputs` cannot be empty")]
    [TestCase("/predict", """{"inputs": "a", "raw_scores": 1}""", 422, "Validation", "type must be boolean, but is number")]
    [TestCase("/rerank", """{"query": "a", "texts": []}""", 400, "Empty", "`texts` cannot be empty")]
    [TestCase("/rerank", """{"query": "", "texts": ["a"]}""", 400, "Empty", "`query` cannot be empty")]
    [TestCase("/rerank", """{"query": "a", "texts": ["b"], "model": "demo-language-id"}""", 424, "Backend", "These can: demo-rerank")]
    [TestCase("/similarity", """{"inputs": {"source_sentence": "a", "sentences": []}}""", 400, "Empty", "`sentences` cannot be empty")]
    [TestCase("/similarity", """{"inputs": "a"}""", 422, "Validation", "type must be object, but is string")]
    [TestCase("/decode", """{"ids": [999999]}""", 422, "Tokenizer", "999999, which is no token of demo-embed")]
    [TestCase("/tokenize", """{"inputs": [[1]]}""", 422, "Validation", "type must be string, but is array")]
    public async Task What_is_wrong_is_said_in_the_protocols_form(string route, string body, int status, string type, string message)
    {
        (HttpStatusCode found, JsonElement error, _) = await SendAsync(route, body);
        Assert.That(((int)found, error.GetProperty("error_type").GetString()), Is.EqualTo((status, type)), error.GetRawText());
        Assert.That(error.GetProperty("error").GetString(), Does.Contain(message));
        Assert.That(error.EnumerateObject().Count(), Is.EqualTo(2));
    }

    [TestCase("/embed", "")]
    [TestCase("/embed_all", "")]
    [TestCase("/predict", """, "model": "demo-language-id" """)]
    public async Task A_text_that_is_too_long_is_cut_unless_asked_otherwise(string route, string more)
    {
        string text = string.Concat(Enumerable.Repeat("x = 1; ", 200));
        await PostAsync(route, $$"""{"inputs": "{{text}}"{{more}}}""");
        (HttpStatusCode status, JsonElement error, _) = await SendAsync(route, $$"""{"inputs": "{{text}}", "truncate": false{{more}}}""");
        Assert.That((int)status, Is.EqualTo(422), error.GetRawText());
        Assert.That(error.GetProperty("error_type").GetString(), Is.EqualTo("Validation"));
    }

    [TestCase(nameof(Problem.Overloaded), 429, "Overloaded")]
    [TestCase(nameof(Problem.Unavailable), 503, "Unhealthy")]
    [TestCase(nameof(Problem.Server), 424, "Backend")]
    [TestCase(nameof(Problem.Unauthorized), 401, "Unauthorized")]
    public void Every_problem_has_its_status_and_type(string problem, int status, string type)
    {
        var kind = Enum.Parse<Problem>(problem);
        var body = JsonElement.Parse(TeiProtocol.Instance.Body(new ApiException(kind, "why")));
        Assert.That((TeiProtocol.Instance.Status(kind), body.GetProperty("error_type").GetString()), Is.EqualTo((status, type)));
    }
}
