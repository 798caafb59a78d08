using System.Net;
using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>Hugging Face's tasks against the pipelines.</summary>
public sealed class HuggingFaceTests
{
    private const string Generate = "/models/demo-codegen", Fill = "/models/demo-fill-mask", Code = "def f(a):\n    return a";
    private static readonly JsonSerializerOptions s_plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private TextGenerator _generator = null!;
    private FillMaskPipeline _fill = null!;
    private TokenClassificationPipeline _tag = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _generator = TextGenerator.Load(ModelPath("demo-codegen"));
        _fill = FillMaskPipeline.Load(ModelPath("demo-fill-mask"));
        _tag = TokenClassificationPipeline.Load(ModelPath("demo-tag"));
    }

    [OneTimeTearDown]
    public void Unload()
    {
        _generator.Dispose();
        _fill.Dispose();
        _tag.Dispose();
    }

    [Test]
    public async Task Masks_are_filled()
    {
        const string One = "def <mask>(a): return a", Two = "def <mask>(a): return <mask>";
        JsonElement one = await PostAsync(Fill, $$$"""{"inputs": "{{{One}}}", "parameters": {"top_k": 3}}""");
        IReadOnlyList<FillMaskPrediction> own = _fill.Predict(One, new FillMaskOptions { TopK = 3 });
        Assert.That(one.EnumerateArray().Select(Candidate), Is.EqualTo(own.Select(Candidate)));
        JsonElement several = await PostAsync(Fill, $$"""{"inputs": ["{{One}}", "{{Two}}"]}""");
        Assert.That(several[0].EnumerateArray().Select(all => all.GetProperty("token").GetInt32()), Is.EqualTo(_fill.Predict(One).Select(all => all.TokenId)));
        FilledMask second = _fill.PredictMasks([Two])[0].Masks[1];
        Assert.That(several[1].GetArrayLength(), Is.EqualTo(2), "a list for each mask");
        Assert.That(several[1][1].EnumerateArray().Select(all => all.GetProperty("sequence").GetString()),
            Is.EqualTo(second.Predictions.Select(all => all.Sequence)));
        JsonElement targets = await PostAsync(Fill, $$$"""{"inputs": "{{{One}}}", "parameters": {"targets": ["get", "set"]}}""");
        Assert.That(targets.EnumerateArray().Select(Candidate),
            Is.EqualTo(_fill.Predict(One, new FillMaskOptions { Targets = ["get", "set"] }).Select(Candidate)));
    }

    [Test]
    public async Task Spans_have_labels_and_places()
    {
        const string Text = "😀 mail ada@example.org to Ada";
        JsonElement spans = await PostAsync("/models/demo-tag", $$"""{"inputs": "{{Text}}"}""");
        IReadOnlyList<Entity> own = _tag.Tag(Text);
        Assert.That(spans.EnumerateArray().Select(span => Span(span, "entity_group")), Is.EqualTo(own.Select(Span)));
        JsonElement email = spans.EnumerateArray().Single(span => span.GetProperty("entity_group").GetString() == "EMAIL");
        Assert.That((email.GetProperty("start").GetInt32(), email.GetProperty("end").GetInt32()), Is.EqualTo((7, 22)), "in code points");
        foreach (AggregationStrategy strategy in Enum.GetValues<AggregationStrategy>())
        {
            string name = strategy.ToString().ToLowerInvariant();
            JsonElement all = await PostAsync("/models/demo-tag",
                $$$"""{"inputs": ["{{{Text}}}"], "parameters": {"aggregation_strategy": "{{{name}}}", "ignore_labels": ["O", "NAME"], "stride": 8}}""");
            own = _tag.Tag(Text, new TokenClassificationOptions { Aggregation = strategy, IgnoreLabels = ["O", "NAME"], Stride = 8 });
            Assert.That(all[0].EnumerateArray().Select(span => Span(span, strategy == AggregationStrategy.None ? "entity" : "entity_group")),
                Is.EqualTo(own.Select(Span)), name);
        }
    }

    [Test]
    public async Task Labels_of_a_text_are_a_list_in_a_list()
    {
        using var pipeline = TextClassificationPipeline.Load(ModelPath("demo-language-id"));
        string text = JsonSerializer.Serialize(Code);
        JsonElement one = await PostAsync("/models/demo-language-id", $$"""{"inputs": {{text}}}""");
        Assert.That(one[0].EnumerateArray().Select(Label), Is.EqualTo(pipeline.Classify(Code).Select(Label)));
        JsonElement best = await PostAsync("/models/demo-language-id",
            $$$"""{"inputs": [{{{text}}}, {"text": {{{text}}}, "text_pair": "x = 1"}], "parameters": {"top_k": 2, "function_to_apply": "none"}}""");
        var options = new TextClassificationOptions { TopK = 2, Function = ClassificationFunction.None };
        Assert.That(best[0].EnumerateArray().Select(label => label.GetProperty("label").GetString()),
            Is.EqualTo(pipeline.Classify(Code, null, options).Select(label => label.Label)));
        Assert.That(best[1][0].GetProperty("score").GetSingle(), Is.EqualTo(pipeline.Classify(Code, "x = 1", options)[0].Score).Within(1e-5f));
        JsonElement pair = await PostAsync("/models/demo-language-id", $$$"""{"inputs": {"text": {{{text}}}, "text_pair": "x = 1"}}""");
        Assert.That(pair[0].EnumerateArray().Select(Label), Is.EqualTo(pipeline.Classify(Code, "x = 1").Select(Label)));
    }

    [Test]
    public async Task A_text_has_a_vector()
    {
        using var embed = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        Assert.That(Numbers(await PostAsync("/models/demo-embed", """{"inputs": "Sort a list."}""")), Is.EqualTo(embed.Embed("Sort a list.")).AsCollection);
        using var prompts = SentenceEmbeddingPipeline.Load(Prompts);
        JsonElement list = await PostAsync("/models/demo-prompts",
            """{"inputs": ["a b"], "normalize": true, "prompt_name": "passage", "truncate": true, "truncation_direction": "right"}""");
        Assert.That(Numbers(list[0]), Is.EqualTo(prompts.Embed("a b", new EmbeddingOptions { Normalize = true, PromptName = "passage" })).AsCollection);
    }

    // The hub's clients put the task after the id where a model does both.
    [TestCase("/models/demo-prompts/pipeline/sentence-similarity")]
    [TestCase("/models/demo-prompts")]
    public async Task Sentences_are_compared_with_a_source(string route)
    {
        using var prompts = SentenceEmbeddingPipeline.Load(Prompts);
        JsonElement all = await PostAsync(route, """
            {"inputs": {"source_sentence": "a b", "sentences": ["a b", "c d"]},
             "parameters": {"prompt_name": "passage", "truncate": true, "truncation_direction": "Right"}}
            """);
        var passage = new EmbeddingOptions { PromptName = "passage" };
        Assert.That(Numbers(all), Is.EqualTo(new[] { 1, prompts.Similarity(prompts.Embed("a b", passage), prompts.Embed("c d", passage)) }).Within(1e-6));
    }

    [Test]
    public async Task A_text_is_generated_with_details()
    {
        GeneratedSequence own = _generator.GenerateSequences([Code], new GenerationOptions { MaxNewTokens = 8, TopLogProbabilities = 2 }).Sequences[0];
        JsonElement plain = await PostAsync(Generate, $$$"""{"inputs": {{{Text(Code)}}}, "parameters": {"max_new_tokens": 8}}""");
        Assert.That(plain.GetRawText(), Is.EqualTo($$"""[{"generated_text":{{Text(Code + own.Text)}}}]"""));
        JsonElement answer = (await PostAsync(Generate, $$$"""
            {"inputs": {{{Text(Code)}}}, "parameters": {"max_new_tokens": 8, "return_full_text": false, "details": true, "decoder_input_details": true,
             "top_n_tokens": 2}}
            """))[0];
        Assert.That(answer.GetProperty("generated_text").GetString(), Is.EqualTo(own.Text));
        JsonElement details = answer.GetProperty("details");
        Assert.That((details.GetProperty("finish_reason").GetString(), details.GetProperty("generated_tokens").GetInt32()), Is.EqualTo(("length", 8)));
        Assert.That(details.GetProperty("seed").ValueKind, Is.EqualTo(JsonValueKind.Null));
        JsonElement[] tokens = [.. details.GetProperty("tokens").EnumerateArray()];
        Assert.That(tokens.Select(token => token.GetProperty("id").GetInt32()), Is.EqualTo(own.TokenIds));
        Assert.That(tokens.Select(token => token.GetProperty("logprob").GetDouble()),
            Is.EqualTo(own.LogProbabilities!.Select(token => token.LogProbability)).Within(1e-4));
        Assert.That(string.Concat(tokens.Select(token => token.GetProperty("text").GetString())), Is.EqualTo(own.Text));
        Assert.That(tokens.Select(token => token.GetProperty("special").GetBoolean()), Has.All.False);
        int[] prompt = _generator.Encode(Code);
        JsonElement[] prefill = [.. details.GetProperty("prefill").EnumerateArray()];
        Assert.That(prefill.Select(token => token.GetProperty("id").GetInt32()), Is.EqualTo(prompt));
        Assert.That(prefill[0].GetProperty("logprob").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(prefill[1].GetProperty("logprob").GetDouble(), Is.LessThan(0));
        Assert.That(details.GetProperty("top_tokens")[0].EnumerateArray().Select(token => token.GetProperty("id").GetInt32()),
            Is.EqualTo(own.LogProbabilities![0].Alternatives.Select(token => token.TokenId)));

        string stop = own.Text[3..5];
        foreach (string name in new[] { "stop", "stop_sequences" })
        {
            string parameters = $$"""{"max_new_tokens": 8, "return_full_text": false, "{{name}}": [{{Text(stop)}}], "details": true}""";
            JsonElement cut = (await PostAsync(Generate, $$"""{"inputs": {{Text(Code)}}, "parameters": {{parameters}}}"""))[0];
            Assert.That(cut.GetProperty("generated_text").GetString(), Is.EqualTo(own.Text[..own.Text.IndexOf(stop, StringComparison.Ordinal)]));
            Assert.That(cut.GetProperty("details").GetProperty("finish_reason").GetString(), Is.EqualTo("stop_sequence"));
        }
        string last = _generator.Tokenizer.Decode(prompt.AsSpan()[^2..]);
        JsonElement kept = await PostAsync(Generate,
            $$$"""{"inputs": {{{Text(Code)}}}, "parameters": {"max_new_tokens": 4, "truncate": 2, "return_full_text": false}}""");
        Assert.That(kept[0].GetProperty("generated_text").GetString(), Is.EqualTo(_generator.Generate(last, new GenerationOptions { MaxNewTokens = 4 })));
    }

    [Test]
    public async Task A_stream_has_an_event_for_each_token()
    {
        string body =
            $$$"""{"inputs": {{{Text(Code)}}}, "parameters": {"max_new_tokens": 8, "return_full_text": false, "top_n_tokens": 1}, "stream": true}""";
        using var content = new StringContent(body, Encoding.UTF8);
        using HttpResponseMessage answer = await Client.PostAsync(new Uri(Generate, UriKind.Relative), content);
        Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        JsonElement[] events = [.. (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line["data: ".Length..]))];
        GeneratedSequence own = _generator.GenerateSequences([Code], new GenerationOptions { MaxNewTokens = 8 }).Sequences[0];
        Assert.That(events.Select(one => one.GetProperty("token").GetProperty("id").GetInt32()), Is.EqualTo(own.TokenIds));
        Assert.That(events.Select(one => one.GetProperty("index").GetInt32()), Is.EqualTo(Enumerable.Range(1, 8)));
        Assert.That(string.Concat(events.Select(one => one.GetProperty("token").GetProperty("text").GetString())), Is.EqualTo(own.Text));
        Assert.That(events.Select(one => one.GetProperty("top_tokens")[0].GetProperty("id").GetInt32()), Is.EqualTo(own.TokenIds), "the best is taken");
        Assert.That(events[..^1].Select(one => one.GetProperty("generated_text").ValueKind), Has.All.EqualTo(JsonValueKind.Null));
        Assert.That(events[^1].GetProperty("generated_text").GetString(), Is.EqualTo(own.Text));
        Assert.That(events[^1].GetProperty("details").GetRawText(),
            Is.EqualTo($$"""{"finish_reason":"length","generated_tokens":8,"seed":null,"input_length":{{_generator.Encode(Code).Length}}}"""));
    }

    [Test]
    public void The_last_event_has_the_end_token_or_none_and_why_the_text_ended()
    {
        int end = _generator.Tokenizer.TokenToId("<|endoftext|>")!.Value;
        var piece = new TextPiece("", [end])
        {
            LogProbabilities = [new TokenProbability(end, "", "", -0.5)], FinishReason = FinishReason.EndToken, Usage = new(),
        };
        Assert.That(Event(piece), Is.EqualTo(
            $$$"""{"index":1,"token":{"id":{{{end}}},"text":"<|endoftext|>","logprob":-0.5,"special":true},"generated_text":"a","details":""" +
            """{"finish_reason":"eos_token","generated_tokens":0,"seed":null,"input_length":3}}"""));
        Assert.That(Event(new TextPiece("b", []) { FinishReason = FinishReason.MaxTime, Usage = new() }), Is.EqualTo(
            """{"index":0,"token":null,"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":0,"seed":null,"input_length":3}}"""));

        string Event(TextPiece last)
        {
            var writer = new TextGenerationWriter(new TextGenerationRequest { Inputs = "a" }, _generator.Tokenizer);
            return Encoding.UTF8.GetString(ApiRequest.Json(writer.Events(new Serving.GenerationRequest([1, 2, 3]), last).Single()).Span);
        }
    }

    [Test]
    public async Task Best_of_and_sampling_are_the_engines()
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = 8, DoSample = true, Seed = 7, Temperature = 0.8, TopK = 40, TopP = 0.9, TypicalP = 0.9, RepetitionPenalty = 1.1,
        };
        const string Sampling =
            """ "max_new_tokens": 8, "seed": 7, "temperature": 0.8, "top_k": 40, "top_p": 0.9, "typical_p": 0.9, "repetition_penalty": 1.1 """;
        JsonElement one = await PostAsync(Generate,
            $$$"""
            {"inputs": {{{Text(Code)}}},
             "parameters": {{{{Sampling}}}, "do_sample": true, "max_time": 60, "return_full_text": false, "details": true}}
            """);
        Assert.That(one[0].GetProperty("generated_text").GetString(), Is.EqualTo(_generator.Generate(Code, options)));
        Assert.That(one[0].GetProperty("details").GetProperty("seed").GetInt64(), Is.EqualTo(7));
        JsonElement best = await PostAsync(Generate,
            $$$"""{"inputs": {{{Text(Code)}}}, "parameters": {{{{Sampling}}}, "best_of": 3, "return_full_text": false, "details": true}}""");
        IEnumerable<string> own = _generator.GenerateSequences([Code], options with { NumReturnSequences = 3, TopLogProbabilities = 0 }).Sequences
            .OrderByDescending(text => text.LogProbabilities!.Average(token => token.LogProbability)).Select(text => text.Text);
        JsonElement others = best[0].GetProperty("details").GetProperty("best_of_sequences");
        Assert.That(others.EnumerateArray().Prepend(best[0]).Select(text => text.GetProperty("generated_text").GetString()), Is.EqualTo(own));
    }

    [Test]
    public async Task A_model_is_asked_for_its_task()
    {
        const string One = "def <mask>(a): return a";
        Assert.That((await PostAsync(Fill, $$"""{"inputs": "{{One}}"}"""))[0].TryGetProperty("token_str", out _), Is.True);
        JsonElement vector = await PostAsync($"{Fill}/pipeline/feature-extraction", $$"""{"inputs": "{{One}}"}""");
        using var embed = SentenceEmbeddingPipeline.Load(ModelPath("demo-fill-mask"));
        Assert.That(Numbers(vector), Is.EqualTo(embed.Embed(One)).AsCollection);
        (HttpStatusCode status, JsonElement error, _) = await SendAsync("/models/org/name", """{"inputs": "a"}""");
        Assert.That((int)status, Is.EqualTo(404));
        Assert.That(error.GetProperty("error").GetString(), Does.Contain("org/name"), "an id with a slash");
    }

    // Its model is the address that it was given.
    [TestCase("/v1/completions", "http://127.0.0.1:8080")]
    [TestCase("/v1/completions", "http://127.0.0.1:8080/models/demo-codegen/")]
    [TestCase("/models/demo-codegen/v1/completions", "http://127.0.0.1:8080/models/demo-codegen")]
    public async Task The_hubs_client_for_JavaScript_generates_in_OpenAIs_form(string route, string model)
    {
        JsonElement answer = await PostAsync(route,
            $$"""{"model": "{{model}}", "prompt": {{Text(Code)}}, "max_tokens": 6, "temperature": 0, "return_full_text": false}""");
        Assert.That((answer.GetProperty("model").GetString(), answer.GetProperty("choices")[0].GetProperty("text").GetString()),
            Is.EqualTo(("demo-codegen", _generator.Generate(Code, new GenerationOptions { MaxNewTokens = 6 }))));
        (HttpStatusCode status, JsonElement error, _) = await SendAsync("/models/org/name/v1/completions", """{"prompt": "a"}""");
        Assert.That((int)status, Is.EqualTo(404));
        Assert.That(error.GetProperty("error").GetProperty("message").GetString(), Does.Contain("\"org/name\""));
    }

    [TestCase("""{"inputs": {"source_sentence": "a", "sentences": ["a", "b"]}}""", "[1,")]
    [TestCase("""{"inputs": "a = <mask>", "parameters": {"targets": ["0"]}}""", """[{"score":""")]
    [TestCase("""{"inputs": "ada@example.org", "parameters": {"aggregation_strategy": "simple"}}""", """[{"entity_group":"EMAIL",""")]
    [TestCase("""{"inputs": "def f(): pass", "parameters": {"function_to_apply": "softmax"}}""", """[[{"label":""")]
    [TestCase("""{"inputs": "def f", "parameters": {"max_new_tokens": 1}}""", """[{"generated_text":"def f""")]
    [TestCase("""{"inputs": ["a"], "normalize": true}""", "[[")]
    [TestCase("""{"inputs": "a"}""", "[", Description = "the first model's task")]
    public async Task Without_an_id_the_body_says_which_task(string body, string answer) =>
        Assert.That((await PostAsync("/", body)).GetRawText(), Does.StartWith(answer));

    [Test]
    public async Task Options_of_the_hubs_api_change_nothing()
    {
        const string Body = """{"inputs": "a", "parameters": {"max_new_tokens": 2}""";
        JsonElement with = await PostAsync(Generate, Body + """, "options": {"wait_for_model": true, "use_cache": false}}""");
        Assert.That(with.GetRawText(), Is.EqualTo((await PostAsync(Generate, Body + "}")).GetRawText()));
    }

    public static IEnumerable<TestCaseData> RefusedFields => RouteManifest.Routes["POST /models/{**id}"].Fields
        .Where(one => one.Value.Status == EntryStatus.Refused)
        .Select(one => new TestCaseData(one.Key, one.Value.Sample!.Value.GetRawText()).SetArgDisplayNames(one.Key));

    [TestCaseSource(nameof(RefusedFields))]
    public async Task A_field_that_is_not_honoured_is_refused_by_name(string field, string value)
    {
        string body = $$$"""{"inputs": "a", "parameters": {"{{{field["parameters.".Length..]}}}": {{{value}}}}}""";
        (HttpStatusCode status, JsonElement error, _) = await SendAsync(Generate, body);
        Assert.That((int)status, Is.EqualTo(422));
        Assert.That(error.GetProperty("error").GetString(), Does.StartWith($"Field '{field}' is not supported: "));
    }

    [TestCase(Generate, """{"inputs": ["a"]}""", 422, "Field 'inputs': type must be string, but is array")]
    [TestCase(Generate, """{"parameters": {"max_new_tokens": 1}}""", 422, "Field 'inputs' is needed")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"max_new_tokens": 100000}}""", 422, "must be <= 512. Given: 1 `inputs` tokens and 100000")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"best_of": 2}}""", 422, "'parameters.best_of' needs 'do_sample'")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"best_of": 2, "do_sample": true}, "stream": true}""", 422, "'parameters.best_of' cannot stream")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"decoder_input_details": true}, "stream": true}""", 422, "decoder_input_details' cannot stream")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"temperature": 0}}""", 422, "Field 'parameters.temperature': Value must be")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"max_tokens": 5}}""", 422, "Field 'parameters.max_tokens' is not known here; the nearest is")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"top_n_tokens": 1}}""", 422, "'parameters.top_n_tokens' needs 'details' or 'stream'")]
    [TestCase(Generate, """{"inputs": "a", "parameters": 5}""", 422, "Field 'parameters': type must be object, but is number")]
    [TestCase(Generate, """{"inputs": "a", "parameters": {"targets": ["b"]}}""", 422, "demo-codegen cannot do that (FillMask)")]
    [TestCase(Fill, """{"inputs": "no mask"}""", 422, "Write <mask> where a token is to be filled in.")]
    [TestCase(Fill, """{"inputs": []}""", 422, "`inputs` cannot be empty")]
    [TestCase(Fill, """{"inputs": "<mask>", "parameters": {"targets": ["a"], "stride": 1}}""", 422, "'parameters.stride' does not go together with the others")]
    [TestCase("/models/demo-tag", """{"inputs": "a", "parameters": {"aggregation_strategy": "last"}}""", 422,
        "one of none, simple, first, average, max, but is 'last'")]
    [TestCase("/models/demo-language-id", """{"inputs": [{"txt": "a"}]}""", 422, "Field 'inputs.text' is needed")]
    [TestCase("/models/demo-embed/pipeline/summarization", """{"inputs": "a"}""", 404, "There is no task 'summarization'; there are text-generation, ")]
    [TestCase("/models/demo-embd", """{"inputs": "a"}""", 404, "demo-embed")]
    [TestCase("/", """{"inputs": {"question": "a", "context": "b"}}""", 422, "Field 'inputs'")]
    [TestCase("/", "[]", 422, "The body is no JSON object")]
    public async Task What_is_wrong_is_said(string route, string body, int status, string message)
    {
        (HttpStatusCode found, JsonElement error, _) = await SendAsync(route, body);
        Assert.That(((int)found, error.GetProperty("error_type").GetString()), Is.EqualTo((status, "validation")), error.GetRawText());
        Assert.That(error.GetProperty("error").GetString(), Does.Contain(message));
        Assert.That(error.EnumerateObject().Count(), Is.EqualTo(2));
    }

    private static string Text(string text) => JsonSerializer.Serialize(text, s_plain);

    private static (float, int, string, string) Candidate(JsonElement one) => (one.GetProperty("score").GetSingle(), one.GetProperty("token").GetInt32(),
        one.GetProperty("token_str").GetString()!, one.GetProperty("sequence").GetString()!);

    private static (float, int, string, string) Candidate(FillMaskPrediction one) => (one.Score, one.TokenId, one.TokenText, one.Sequence);

    private static (string, float, string, int, int) Span(JsonElement one, string label) => (one.GetProperty(label).GetString()!,
        one.GetProperty("score").GetSingle(), one.GetProperty("word").GetString()!, one.GetProperty("start").GetInt32(), one.GetProperty("end").GetInt32());

    private static (string, float, string, int, int) Span(Entity one) => (one.Label, one.Score, one.Text, one.CodePointStart, one.CodePointEnd);

    private static (string, float) Label(JsonElement one) => (one.GetProperty("label").GetString()!, one.GetProperty("score").GetSingle());

    private static (string, float) Label(LabelScore one) => (one.Label, one.Score);
}
