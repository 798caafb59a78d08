using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server.Tests;

/// <summary>The requests that clients of OpenAI's protocol really send, and what they read of the answers.</summary>
public sealed class OpenAIClientTests
{
    private const string Completions = "/v1/completions";
    private WebApplication _app = null!;
    private HttpClient _client = null!;
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddManagedTransformersServer(
            new ServerOptions { Models = [ModelPath("demo-codegen"), DemoServer.WithoutMasks("no-masks"), ModelPath("demo-embed")], ApiKeys = ["secret"] });
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.MapManagedTransformers();
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "secret");
        _generator = TextGenerator.Load(ModelPath("demo-codegen"));
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _client.Dispose();
        _generator.Dispose();
        await _app.DisposeAsync();
    }

    [Test]
    public async Task Models_are_listed_with_their_context()
    {
        JsonElement list = await GetAsync("/v1/models");
        JsonElement[] models = [.. list.GetProperty("data").EnumerateArray()];
        Assert.That((list.GetProperty("object").GetString(), models.Length), Is.EqualTo(("list", 3)));
        JsonElement one = await GetAsync("/v1/models/demo-codegen");
        Assert.That((one.GetProperty("id").GetString(), one.GetProperty("max_model_len").GetInt32()),
            Is.EqualTo(("demo-codegen", _generator.CausalLM.Config.MaxTokens)));
        Assert.That(one.GetRawText(), Is.EqualTo(models[0].GetRawText()));
        using HttpResponseMessage escaped = await _client.GetAsync(new Uri("/v1/models/acme%2Ftiny", UriKind.Relative));
        Assert.That(await escaped.Content.ReadAsStringAsync(), Does.Contain("There is no model 'acme/tiny'"), "OpenAI's clients escape the slash of org/name");
        Assert.That((await GetAsync("/models")).GetRawText(), Is.EqualTo(list.GetRawText()), "clients whose address lacks /v1");
    }

    [Test]
    public async Task A_text_is_the_generators_own()
    {
        string own = _generator.Generate("def add(a, b):\n", new GenerationOptions { MaxNewTokens = 12 });
        JsonElement answer = await PostAsync("/v1/completions", """{"prompt": "def add(a, b):\n", "max_tokens": 12, "temperature": 0}""");
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(own));
    }

    // Many clients send all of their settings.
    [Test]
    public async Task At_temperature_0_the_best_tokens_are_taken_whatever_else_is_said([Values("/v1/completions", "/v1/fim/completions")] string route)
    {
        const string More = ", \"top_p\": 0.9";
        string body = """{"prompt": "def add(a, b):\n", "max_tokens": 12, "temperature": 0""";
        JsonElement plain = await PostAsync(route, body + "}");
        JsonElement more = await PostAsync(route, $"{body}{More}{(route == Completions ? ", \"top_k\": 40, \"min_p\": 0.05" : "")}}}");
        Assert.That(more.GetProperty("choices").GetRawText(), Is.EqualTo(plain.GetProperty("choices").GetRawText()));
    }

    [Test]
    public async Task An_echo_has_a_log_probability_for_each_token()
    {
        JsonElement answer = await PostAsync("/v1/completions", """{"prompt": "a = 1\n", "max_tokens": 0, "echo": true, "logprobs": 1, "temperature": 0}""");
        JsonElement all = answer.GetProperty("choices")[0].GetProperty("logprobs");
        int tokens = answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.That(all.GetProperty("tokens").GetArrayLength(), Is.EqualTo(tokens));
        Assert.That(all.GetProperty("token_logprobs")[0].ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(all.GetProperty("text_offset")[0].GetInt32(), Is.Zero);
    }

    // Continue (openai provider), minuet: a stream; the chunk with the reason comes before [DONE], which Tabby needs.
    [Test]
    public async Task A_streams_pieces_are_the_whole_text()
    {
        string[] events = await StreamAsync("""
            {"model": "demo-codegen", "prompt": "def add(a, b):\n", "max_tokens": 24, "temperature": 0, "stream": true,
             "stream_options": {"include_usage": true}}
            """);
        Assert.That(events[^1], Is.EqualTo("[DONE]"));
        JsonElement[] chunks = [.. events[..^1].Select(text => JsonElement.Parse(text))];
        string own = _generator.Generate("def add(a, b):\n", new GenerationOptions { MaxNewTokens = 24 });
        Assert.That(string.Concat(chunks[..^1].Select(chunk => chunk.GetProperty("choices")[0].GetProperty("text").GetString())), Is.EqualTo(own));
        Assert.That(chunks[..^1].Select(chunk => chunk.GetProperty("usage").ValueKind), Has.All.EqualTo(JsonValueKind.Null));
        Assert.That(chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
        Assert.That(chunks[^1].GetProperty("choices").GetArrayLength(), Is.Zero);
        Assert.That(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(24));
        Assert.That(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct().Count(), Is.EqualTo(1));
    }

    // Zed requires id, object, created, model, choices[].text and all of usage.
    [Test]
    public async Task An_answer_has_what_Zed_requires()
    {
        JsonElement answer = await PostAsync(Completions,
            """{"model": "demo-codegen", "prompt": "def f(", "max_tokens": 8, "stop": ["\n", ")", ":", "#"], "temperature": 0}""");
        Assert.That(answer.GetProperty("object").GetString(), Is.EqualTo("text_completion"));
        Assert.That(answer.GetProperty("created").GetInt64(), Is.EqualTo(DateTimeOffset.UtcNow.ToUnixTimeSeconds()).Within(60));
        string text = answer.GetProperty("choices")[0].GetProperty("text").GetString()!;
        Assert.That(text.IndexOfAny(['\n', ')', ':', '#']), Is.EqualTo(-1), text);
        JsonElement usage = answer.GetProperty("usage");
        Assert.That(usage.GetProperty("total_tokens").GetInt32(),
            Is.EqualTo(usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32()));
    }

    [Test]
    public async Task Prompts_of_all_kinds_have_n_choices_each_in_order()
    {
        int[] ids = _generator.Encode("x = 1");
        JsonElement texts = await PostAsync(Completions, """{"prompt": ["x = 1", "def f("], "n": 2, "max_tokens": 4, "temperature": 0, "seed": 1}""");
        Assert.That(texts.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("index").GetInt32()), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        string own = _generator.Generate("x = 1", new GenerationOptions { MaxNewTokens = 4 });
        foreach (string prompt in new[] { $"[{string.Join(',', ids)}]", $"[[{string.Join(',', ids)}]]", "\"x = 1\"" })
        {
            JsonElement answer = await PostAsync(Completions, $$"""{"prompt": {{prompt}}, "max_tokens": 4, "temperature": 0}""");
            Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(own), prompt);
        }
    }

    // lm-evaluation-harness, local-completions: ids, echo, log probabilities, one token.
    [Test]
    public async Task The_harness_gets_log_probabilities_of_prompt_and_new_tokens()
    {
        const string Text = "def add(a, b):\n    return a + b\n";
        int[] ids = _generator.Encode(Text);
        JsonElement answer = await PostAsync(Completions, $$"""
            {"model": "demo-codegen", "prompt": [{{string.Join(',', ids)}}], "max_tokens": 1, "temperature": 0, "logprobs": 2, "echo": true, "seed": 1234}
            """);
        JsonElement all = answer.GetProperty("choices")[0].GetProperty("logprobs");
        JsonElement[] probabilities = [.. all.GetProperty("token_logprobs").EnumerateArray()];
        Assert.That(probabilities, Has.Length.EqualTo(ids.Length + 1));
        Assert.That(all.GetProperty("top_logprobs")[0].ValueKind, Is.EqualTo(JsonValueKind.Null));
        using Session session = _generator.CausalLM.CreateSession(new Models.SessionOptions { MaxLength = ids.Length });
        FloatTensor scores = _generator.CausalLM.Append(ids, [ids.Length], [0], session, ScoresOf.AllTokens);
        for (int i = 1; i < ids.Length; i++)
        {
            double logSum = Math.Log(scores.Row(i - 1).ToArray().Sum(score => Math.Exp(score)));
            Assert.That(probabilities[i].GetDouble(), Is.EqualTo(scores.Row(i - 1)[ids[i]] - logSum).Within(1e-3), $"token {i}");
        }
        int[] offsets = [.. all.GetProperty("text_offset").EnumerateArray().Select(one => one.GetInt32())];
        string[] tokens = [.. all.GetProperty("tokens").EnumerateArray().Select(one => one.GetString()!)];
        Assert.That(offsets, Is.Ordered);
        string whole = answer.GetProperty("choices")[0].GetProperty("text").GetString()!;
        for (int i = 0; i < tokens.Length; i++)
            Assert.That(whole[offsets[i]..], Does.StartWith(tokens[i]), $"token {i}");
    }

    [Test]
    public async Task A_suffix_is_infilled_by_the_models_own_format()
    {
        JsonElement answer = await PostAsync(Completions,
            """{"model": "demo-codegen", "prompt": "def add(a, b):\n    return ", "suffix": "\n\nprint(add(1, 2))\n", "max_tokens": 12, "temperature": 0}""");
        string own = _generator.Infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", new GenerationOptions { MaxNewTokens = 12 });
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(own));
    }

    // The Copilot gateway retries without the suffix where a 400 says so.
    [Test]
    public async Task A_model_that_cannot_infill_refuses_a_suffix_in_the_words_that_clients_look_for()
    {
        (HttpStatusCode status, JsonElement error) = await ErrorAsync(Completions,
            """{"model": "no-masks", "prompt": "a", "suffix": "b", "max_tokens": 4, "temperature": 0.2, "stream": false}""");
        Assert.That((status, error.GetProperty("message").GetString()), Is.EqualTo((HttpStatusCode.BadRequest, "suffix is not supported by this model")));
    }

    [Test]
    public async Task Best_of_is_the_engines_choice()
    {
        JsonElement answer = await PostAsync(Completions, """{"prompt": "def f(", "max_tokens": 8, "best_of": 4, "n": 2, "seed": 3}""");
        Assert.That(answer.GetProperty("choices").GetArrayLength(), Is.EqualTo(2));
        GenerationOutput all = _generator.GenerateSequences(["def f("], new GenerationOptions
        {
            MaxNewTokens = 8, DoSample = true, Seed = 3, NumReturnSequences = 4, TopLogProbabilities = 0, Temperature = 1, TopK = 0, TopP = 1,
            RepetitionPenalty = 1,
        });
        string[] best =
            [.. all.Sequences.OrderByDescending(one => one.LogProbabilities!.Average(token => token.LogProbability)).Take(2).Select(one => one.Text)];
        Assert.That(answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()), Is.EqualTo(best));
    }

    [Test]
    public async Task A_bias_bans_a_token_and_penalties_count_what_was_said()
    {
        int first = _generator.GenerateSequences(["x ="], new GenerationOptions { MaxNewTokens = 1 }).Sequences[0].TokenIds[0];
        JsonElement biased = await PostAsync(Completions,
            $$"""{"prompt": "x =", "max_tokens": 6, "temperature": 0, "logit_bias": {"{{first}}": -100}, "logprobs": 1}""");
        string token = biased.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("tokens")[0].GetString()!;
        Assert.That(token, Is.Not.EqualTo(_generator.Tokenizer.Decode([first])));
        JsonElement plain = await PostAsync(Completions, """{"prompt": "x = 1\nx = 1\nx", "max_tokens": 30, "temperature": 0}""");
        JsonElement varied = await PostAsync(Completions,
            """{"prompt": "x = 1\nx = 1\nx", "max_tokens": 30, "temperature": 0, "frequency_penalty": 2, "presence_penalty": 2}""");
        Assert.That(varied.GetProperty("choices")[0].GetRawText(), Is.Not.EqualTo(plain.GetProperty("choices")[0].GetRawText()));
    }

    [Test]
    public async Task Extras_of_vLLM_are_the_generators_options()
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = 16, MinNewTokens = 4, DoSample = true, Seed = 5, Temperature = 1, TopP = 1, TopK = 7, MinP = 0.05, RepetitionPenalty = 1.2,
        };
        JsonElement answer = await PostAsync(Completions, """
            {"prompt": "def f(x):\n", "max_tokens": 16, "min_tokens": 4, "seed": 5, "top_k": 7, "min_p": 0.05, "repetition_penalty": 1.2,
             "skip_special_tokens": false}
            """);
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(_generator.Generate("def f(x):\n", options)));

        GeneratedSequence plain = _generator.GenerateSequences(["x = 1\ny ="], new GenerationOptions { MaxNewTokens = 8 }).Sequences[0];
        JsonElement stopped = await PostAsync(Completions,
            $$"""{"prompt": "x = 1\ny =", "max_tokens": 8, "temperature": 0, "stop_token_ids": [{{plain.TokenIds[2]}}], "truncate_prompt_tokens": 64}""");
        Assert.That(stopped.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.LessThanOrEqualTo(3));
        JsonElement cut = await PostAsync(Completions, """{"prompt": "x = 1\ny =", "max_tokens": 1, "truncate_prompt_tokens": 2}""");
        Assert.That(cut.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), Is.EqualTo(2));
    }

    public static IEnumerable<TestCaseData> OtherFields => from route in RouteManifest.Routes
        where OpenAIRoutes.All.Concat(CopilotRoutes.All).Any(own => own.Key == route.Key)
        from one in route.Value.Fields
        where route.Value.Body is not null && !route.Key.Contains("{org}", StringComparison.Ordinal)      // that of {name}, of which there is a model
        where one.Value.Status is EntryStatus.Refused or EntryStatus.ByDesign
        select new TestCaseData(route.Key, one.Key, one.Value.Status == EntryStatus.Refused).SetArgDisplayNames(route.Key, one.Key);

    [TestCaseSource(nameof(OtherFields))]
    public async Task A_field_that_is_not_honoured_is_refused_by_name_or_documented(string route, string field, bool isRefused)
    {
        (string method, string pattern) = (route.Split(' ')[0], route.Split(' ')[1]
            .Replace("{engine}", "codegen", StringComparison.Ordinal).Replace("{name}", "demo-codegen", StringComparison.Ordinal));
        Assert.That(method, Is.EqualTo("POST"));
        RouteEntry entry = RouteManifest.Routes[route];
        string[] path = field.Split('.');
        string value = $"\"{path[^1]}\": {entry.Fields[field].Sample!.Value.GetRawText()}";
        if (path.Length == 2)
            value = $"\"stream\": true, \"{path[0]}\": {{{value}}}";
        string body = $"{entry.Body!.Value.GetRawText().TrimEnd()[..^1]}, {value}}}";
        using HttpResponseMessage answer = await SendAsync(pattern, body);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.EqualTo(!isRefused), text);
        if (isRefused)
            Assert.That(JsonElement.Parse(text).GetProperty("error").GetProperty("message").GetString(), Does.Contain($"Field '{field}' is not supported: "));
    }

    [TestCase("float")]
    [TestCase("base64")]
    public async Task Vectors_are_the_pipelines_in_either_encoding(string format)
    {
        JsonElement answer = await PostAsync("/v1/embeddings",
            $$"""{"model": "demo-embed", "input": ["Sort a list.", "Read a file."], "encoding_format": "{{format}}"}""");
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        IReadOnlyList<float[]> own = pipeline.Embed(["Sort a list.", "Read a file."]);
        for (int i = 0; i < 2; i++)
        {
            JsonElement one = answer.GetProperty("data")[i].GetProperty("embedding");
            float[] vector = format == "float" ? [.. one.EnumerateArray().Select(value => value.GetSingle())]
                : System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(one.GetBytesFromBase64()).ToArray();
            Assert.That(vector, Is.EqualTo(own[i]).Within(1e-5), $"text {i}");
        }
        Assert.That(answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), Is.GreaterThan(4));
        JsonElement cut = await PostAsync("/v1/embeddings", """{"input": "Sort a list.", "dimensions": 64}""");
        Assert.That(cut.GetProperty("data")[0].GetProperty("embedding").GetArrayLength(), Is.EqualTo(64));
    }

    // fauxpilot's clients name engines and models of their own.
    [Test]
    public async Task Any_engine_of_fauxpilot_is_the_model_that_generates()
    {
        JsonElement answer = await PostAsync("/v1/engines/copilot-codex/completions",
            """{"model": "fastertransformer", "prompt": "def f(", "max_tokens": 6, "temperature": 0, "top_p": 1.0, "n": 1, "stop": ["\n"]}""");
        string own = _generator.Generate("def f(", new GenerationOptions { MaxNewTokens = 6, StopStrings = ["\n"] });
        Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(own));
        Assert.That((await GetAsync("/copilot_internal/v2/token")).GetProperty("token").GetString(), Is.EqualTo("1"));
    }

    [TestCase("""{"prompt": "a", "model": "demo-codegem"}""", 404, "demo-codegen", "model")]
    [TestCase("""{"prompt": "a", "model": "demo-embed"}""", 400, "demo-embed cannot do that", "model")]
    [TestCase("""{"prompt": "a", "max_tokens": "ten"}""", 400, "Field 'max_tokens': type must be integer, but is string", "max_tokens")]
    [TestCase("""{"prompt": "a", "temperature": 3}""", 400, "between 0 <= value <= 2, but got 3", "temperature")]
    [TestCase("""{"prompt": "a", "max_tokens": 100000}""", 400, "the model reads at most", "prompt")]
    [TestCase("""{"prompt": "a", "promt": "b"}""", 400, "Field 'promt' is not known here; the nearest is 'prompt'", "promt")]
    [TestCase("""{"prompt": "a", "n": 3, "best_of": 2}""", 400, "must be at least 'n'", "best_of")]
    [TestCase("""{"prompt": [], "n": 1}""", 400, "empty list", "prompt")]
    [TestCase("""{"prompt": [999999]}""", 400, "999999", null)]
    [TestCase("""{"prompt": "a" """, 400, "The body is no JSON", null)]
    [TestCase("[]", 400, "The body is no JSON object", null)]
    public async Task What_is_wrong_is_said_in_OpenAIs_form(string body, int status, string message, string? param)
    {
        (HttpStatusCode found, JsonElement error) = await ErrorAsync(Completions, body);
        Assert.That(((int)found, error.GetProperty("param").GetString()), Is.EqualTo((status, param)));
        Assert.That(error.GetProperty("message").GetString(), Does.Contain(message));
        Assert.That(error.EnumerateObject().Select(key => key.Name), Is.EquivalentTo(new[] { "message", "type", "param", "code" }));
    }

    [TestCase("")]
    [TestCase("Bearer ")]
    [TestCase("Bearer undefined")]
    [TestCase("Bearer wrong")]
    [TestCase("Basic secret")]
    public async Task Without_a_key_nothing_is_answered(string header)
    {
        using var client = new HttpClient { BaseAddress = _client.BaseAddress };
        if (header.Length > 0)
            client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", header);
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/v1/models", UriKind.Relative));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("authentication_error"));
    }

    [Test]
    public async Task Who_goes_away_leaves_the_engine_free()
    {
        using (var gone = new CancellationTokenSource(30))
        {
            const string Long = """{"prompt": "a", "max_tokens": 400, "ignore_eos": true, "n": 64}""";
            Assert.That(async () => await SendAsync(Completions, Long, gone.Token), Throws.Exception);
        }
        Assert.That((await PostAsync(Completions, """{"prompt": "a", "max_tokens": 1}""")).GetProperty("choices").GetArrayLength(), Is.EqualTo(1));
    }

    private async Task<JsonElement> PostAsync(string route, string body)
    {
        using HttpResponseMessage answer = await SendAsync(route, body);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, text);
        Assert.That(text, Does.Not.Contain("\n"), "one line");
        return JsonElement.Parse(text);
    }

    private async Task<(HttpStatusCode Status, JsonElement Error)> ErrorAsync(string route, string body)
    {
        using HttpResponseMessage answer = await SendAsync(route, body);
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("error"));
    }

    private async Task<string[]> StreamAsync(string body)
    {
        using HttpResponseMessage answer = await SendAsync(Completions, body);
        Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        string text = await answer.Content.ReadAsStringAsync();
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];
    }

    private async Task<JsonElement> GetAsync(string route) => JsonElement.Parse(await _client.GetStringAsync(new Uri(route, UriKind.Relative)));

    private async Task<HttpResponseMessage> SendAsync(string route, string body, CancellationToken cancellationToken = default)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(route, UriKind.Relative), content, cancellationToken);
    }

    // The demo model with a tokenizer that has no tokens of infilling.
    private static string ModelPath(string name) => Path.Combine(RepositoryRoot.Path, "models", name);
}
