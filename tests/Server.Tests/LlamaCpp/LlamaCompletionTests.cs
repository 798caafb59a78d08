using System.Net;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Server.Tests;

/// <summary>POST /completion of llama.cpp: texts are the generator's own.</summary>
public sealed class LlamaCompletionTests : LlamaTests
{
    private const string Prompt = "def add(a, b):\n";

    [Test]
    public async Task A_text_is_the_generators_own()
    {
        JsonElement answer = await CompleteAsync("""{"prompt": "def add(a, b):\n", "n_predict": 12, "temperature": 0, "return_tokens": true}""");
        GeneratedSequence own = Best(Prompt, 12);
        int read = Generator.Encode(Prompt).Length;
        Assert.That(Content(answer), Is.EqualTo(own.Text));
        Assert.That(Ids(answer), Is.EqualTo(own.TokenIds));
        Assert.That((Count(answer, "tokens_evaluated"), Count(answer, "tokens_predicted"), Count(answer, "tokens_cached")), Is.EqualTo((read, 12, read + 11)));
        Assert.That((StopType(answer), answer.GetProperty("stopping_word").GetString(), answer.GetProperty("truncated").GetBoolean()),
            Is.EqualTo(("limit", "", false)));
        Assert.That((answer.GetProperty("stop").GetBoolean(), answer.GetProperty("has_new_line").GetBoolean()), Is.EqualTo((true, own.Text.Contains('\n'))));
        Assert.That((answer.GetProperty("prompt").GetString(), answer.GetProperty("model").GetString()), Is.EqualTo((Prompt, "demo-codegen")));
        Assert.That(Count(answer.GetProperty("generation_settings"), "n_ctx"), Is.EqualTo(512));
        Assert.That(Ids(await CompleteAsync("""{"prompt": "a", "n_predict": 1}""")), Is.Empty);
    }

    // llama.vim and llama.vscode read all of these as numbers.
    [Test]
    public async Task Timings_add_up()
    {
        JsonElement answer = await CompleteAsync("""{"prompt": "class Timer:\n", "n_predict": 8, "temperature": 0, "cache_prompt": false}""");
        JsonElement times = answer.GetProperty("timings");
        Assert.That((Count(times, "cache_n"), Count(times, "prompt_n"), Count(times, "predicted_n")), Is.EqualTo((0, Count(answer, "tokens_evaluated"), 8)));
        double Of(string name) => times.GetProperty(name).GetDouble();
        Assert.That(Of("prompt_ms"), Is.GreaterThan(0));
        Assert.That(Of("prompt_per_second"), Is.EqualTo(Of("prompt_n") * 1000 / Of("prompt_ms")).Within(1e-6));
        Assert.That(Of("prompt_per_token_ms"), Is.EqualTo(Of("prompt_ms") / Of("prompt_n")).Within(1e-9));
        Assert.That(Of("predicted_per_token_ms"), Is.EqualTo(Of("predicted_ms") / 7).Within(1e-9), "the first token comes of the prompt's pass");
        Assert.That(Of("predicted_per_second"), Is.EqualTo(7000 / Of("predicted_ms")).Within(1e-6));
        JsonElement one = (await CompleteAsync("""{"prompt": "x", "n_predict": 1}""")).GetProperty("timings");
        Assert.That((one.GetProperty("predicted_per_second").GetDouble(), one.GetProperty("predicted_per_token_ms").GetDouble()), Is.EqualTo((0.0, 0.0)));
    }

    [Test]
    public async Task Prompts_of_all_kinds_are_read()
    {
        string ids = string.Join(',', Generator.Encode("x = 1"));
        string own = Best("x = 1", 4).Text;
        int[] colon = Generator.Tokenizer.EncodeToIds(" + y", options: EncodeOptions.Plain);
        foreach (string prompt in new[] { "\"x = 1\"", $"[{ids}]", $"[\"x =\", {ids.Split(',')[^1]}]", """{"prompt_string": "x = 1"}""", "[\"x = 1\"]" })
        {
            JsonElement answer = await Server.PostAsync("/completions", $$"""{"prompt": {{prompt}}, "n_predict": 4, "temperature": 0}""");
            Assert.That(Content(answer), Is.EqualTo(own), prompt);
        }
        JsonElement several = await CompleteAsync(
            $$"""{"prompt": ["x = 1", [{{ids}}], {"prompt_string": "x = 1"}, [{{ids}}, " + y"]], "n_predict": 4, "temperature": 0}""");
        Assert.That(several.EnumerateArray().Take(3).Select(Content), Has.All.EqualTo(own));
        Assert.That(several.EnumerateArray().Select(one => Count(one, "index")), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        Assert.That(Count(several[3], "tokens_evaluated"), Is.EqualTo(ids.Split(',').Length + colon.Length));
    }

    [Test]
    public async Task N_predict_is_how_many_tokens_at_most()
    {
        foreach (string name in new[] { "n_predict", "max_tokens", "max_completion_tokens" })
            Assert.That(Count(await CompleteAsync($$"""{"prompt": "x =", "{{name}}": 3, "ignore_eos": true}"""), "tokens_predicted"), Is.EqualTo(3), name);
        string prompt = string.Join(',', Enumerable.Repeat(Generator.Encode("x")[0], 500));
        foreach (string least in new[] { "-1", "100000", "2147483647" })
        {
            JsonElement full = await CompleteAsync($$"""{"prompt": [{{prompt}}], "n_predict": {{least}}, "ignore_eos": true, "temperature": 0}""");
            Assert.That((Count(full, "tokens_predicted"), StopType(full), full.GetProperty("truncated").GetBoolean()), Is.EqualTo((12, "limit", true)), least);
        }
    }

    // llama.vim warms the cache so.
    [Test]
    public async Task N_predict_0_reads_the_prompt_and_generates_nothing()
    {
        string prompt = string.Concat(Enumerable.Range(0, 20).Select(i => $"warm_{i} = {i * i}\\n"));
        string body = $$"""{"prompt": "{{prompt}}", "n_predict": 0, "temperature": 0.0, "samplers": [], "t_max_prompt_ms": 1, "t_max_predict_ms": 1}""";
        JsonElement warm = await CompleteAsync(body);
        int read = Count(warm, "tokens_evaluated");
        Assert.That((Content(warm), Count(warm, "tokens_predicted"), StopType(warm), Count(warm, "tokens_cached")), Is.EqualTo(("", 0, "limit", read)));
        JsonElement next = await CompleteAsync($$"""{"prompt": "{{prompt}}x = ", "n_predict": 1}""");
        Assert.That(Count(next.GetProperty("timings"), "cache_n"), Is.GreaterThan(read / 2));
        Assert.That(await Server.PostRawAsync("/completion", body.Replace("\"n_predict\"", "\"response_fields\": [\"\"], \"n_predict\"")), Is.EqualTo("{}"));
        JsonElement two = await CompleteAsync("""{"prompt": "a", "n_predict": 0, "n_cmpl": 2}""");
        Assert.That(two.GetArrayLength(), Is.EqualTo(2));
    }

    // OpenAI's clients whose address lacks /v1 always name a model, and never llama.cpp's own fields.
    [TestCase("""{"model": "demo-codegen", "prompt": "def add(a, b):\n", "max_tokens": 6, "temperature": 0, "suffix": null}""", true)]
    [TestCase("""{"model": "demo-codegen", "prompt": "def add(a, b):\n", "n_predict": 6, "temperature": 0}""", false)]
    [TestCase("""{"model": "demo-codegen", "prompt": "def add(a, b):\n", "max_tokens": 6, "temperature": 0, "cache_prompt": true}""", false)]
    [TestCase("""{"model": "", "prompt": "def add(a, b):\n", "max_tokens": 6, "temperature": 0}""", false)]
    [TestCase("""{"prompt": "def add(a, b):\n", "n_predict": 6, "temperature": 0}""", false)]
    public async Task Completions_without_v1_tell_the_protocol_by_the_fields(string body, bool isOpenAI)
    {
        JsonElement answer = await Server.PostAsync("/completions", body);
        Assert.That(isOpenAI ? answer.GetProperty("choices")[0].GetProperty("text").GetString() : Content(answer), Is.EqualTo(Best(Prompt, 6).Text));
        (HttpStatusCode status, JsonElement error) = await Server.ErrorAsync("/completions", body.Replace("def add", "\\ud800", StringComparison.Ordinal));
        Assert.That((status, error.TryGetProperty("param", out _)), Is.EqualTo((HttpStatusCode.BadRequest, isOpenAI)), "the error is of that protocol, too");
    }

    [TestCase("n_cmpl")]
    [TestCase("n")]
    public async Task Several_texts_are_a_list(string name)
    {
        JsonElement answer = await CompleteAsync($$"""{"prompt": "def f(", "n_predict": 6, "{{name}}": 3, "seed": 5, "samplers": []}""");
        GenerationOutput own = Generator.GenerateSequences(["def f("], new GenerationOptions
        {
            MaxNewTokens = 6, NumReturnSequences = 3, DoSample = true, Seed = 5, TopK = 0, TopP = 1, Temperature = 1,
        });
        Assert.That(answer.EnumerateArray().Select(Content), Is.EqualTo(own.Sequences.Select(one => one.Text)));
        Assert.That(answer.EnumerateArray().Select(one => Count(one, "index")), Is.EqualTo(new[] { 0, 1, 2 }));
    }

    // In transformers' order they are the generator's own; in another one each works on what the one before it left.
    [Test]
    public async Task Samplers_work_in_their_order()
    {
        JsonElement answer = await CompleteAsync("""
            {"prompt": "def f(x):\n", "n_predict": 16, "seed": 7, "temperature": 1.5, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.95,
             "samplers": ["temperature", "top_k", "top_p", "min_p", "typ_p"]}
            """);
        string own = Generator.Generate("def f(x):\n", new GenerationOptions
        {
            MaxNewTokens = 16, DoSample = true, Seed = 7, Temperature = 1.5, TopK = 30, TopP = 0.9, MinP = 0.02, TypicalP = 0.95,
        });
        Assert.That(Content(answer), Is.EqualTo(own));
        // Hot first, top_p keeps nearly all tokens; last, one is left.
        string best = Best("def f(x):\n", 16).Text;
        async Task<string> TextAsync(string more) => Content(await CompleteAsync(
            $$"""{"prompt": "def f(x):\n", "n_predict": 16, "seed": 7, "temperature": 100, "top_p": 0.05, {{more}}}"""));
        Assert.That(await TextAsync("\"samplers\": [\"top_p\", \"temperature\"]"), Is.EqualTo(best));
        Assert.That(await TextAsync("\"samplers\": [\"temperature\", \"top_p\"]"), Is.Not.EqualTo(best));
        Assert.That(await TextAsync("\"samplers\": [\"top_p\", \"temperature\"], \"min_keep\": 50"), Is.Not.EqualTo(best));
        Assert.That(await TextAsync("\"samplers\": [\"top_p\"]"), Is.EqualTo(best), "without the sampler the temperature is not used");
        Assert.That(await TextAsync("\"top_k\": 1"), Is.EqualTo(best));
    }

    [Test]
    public async Task Penalties_look_at_the_last_tokens()
    {
        const string Text = "x = 1\nx = 1\nx";
        async Task<string> TextAsync(string more) => Content(await CompleteAsync(
            $$"""{"prompt": "x = 1\nx = 1\nx", "n_predict": 30, "temperature": 0, {{more}}}"""));
        string best = Best(Text, 30).Text, own = Generator.Generate(Text, new GenerationOptions { MaxNewTokens = 30, RepetitionPenalty = 1.3 });
        Assert.That(await TextAsync("\"repeat_penalty\": 1.3, \"repeat_last_n\": -1"), Is.EqualTo(own).And.Not.EqualTo(best));
        Assert.That(await TextAsync("\"repeat_penalty\": 1.3, \"penalty_last_n\": 0, \"presence_penalty\": 2"), Is.EqualTo(best));
        Assert.That(await TextAsync("\"frequency_penalty\": 2"), Is.Not.EqualTo(best));
        Assert.That(await TextAsync("\"presence_penalty\": 2"), Is.Not.EqualTo(best));

        float[] scores = [3, 3, -3, 3];
        new WindowPenalties(window: 3, repeat: 2, frequency: 0.25, presence: 0.5).Process([3, 1, 1, 2], scores);
        Assert.That(scores, Is.EqualTo(new[] { 3, 1.5f - 0.5f - 0.5f, -6 - 0.25f - 0.5f, 3 }), "token 3 is too far back");
    }

    [Test]
    public async Task A_bias_is_a_pair_or_a_key_and_false_bans()
    {
        int first = Best("x =", 1).TokenIds[0], other = Generator.Encode(" zip")[0];
        async Task<int> TokenAsync(string bias) => Ids(await CompleteAsync(
            $$"""{"prompt": "x =", "n_predict": 1, "temperature": 0, "return_tokens": true, "logit_bias": {{bias}}}"""))[0];
        Assert.That(await TokenAsync("[]"), Is.EqualTo(first));
        Assert.That(await TokenAsync($"[[{first}, false]]"), Is.Not.EqualTo(first));
        Assert.That(await TokenAsync($"[[{other}, 1000]]"), Is.EqualTo(other));
        Assert.That(await TokenAsync($$"""{"{{other}}": 1000}"""), Is.EqualTo(other));
        string text = JsonEncodedText.Encode(Generator.Tokenizer.Decode([other])).ToString();
        Assert.That(await TokenAsync($"[[\"{text}\", 1000]]"), Is.EqualTo(other));
        Assert.That(await TokenAsync($"[[{other}, 1000], [{other}, -1000]]"), Is.EqualTo(first), "biases of one token add up");
    }

    [Test]
    public async Task An_end_token_ends_a_text_or_is_banned()
    {
        int end = Generator.Tokenizer.SpecialTokens.EosTokenId!.Value;
        JsonElement ended = await CompleteAsync(
            $$"""{"prompt": "x =", "n_predict": 4, "temperature": 0, "return_tokens": true, "logit_bias": [[{{end}}, 1000]]}""");
        Assert.That((Content(ended), StopType(ended), Count(ended, "tokens_predicted")), Is.EqualTo(("", "eos", 1)));
        JsonElement banned = await CompleteAsync(
            $$"""{"prompt": "x =", "n_predict": 4, "temperature": 0, "logit_bias": [[{{end}}, 1000]], "ignore_eos": true}""");
        Assert.That((Content(banned), StopType(banned)), Is.EqualTo((Best("x =", 4).Text, "limit")));
    }

    [Test]
    public async Task A_stop_string_ends_a_text_and_is_named()
    {
        string best = Best(Prompt, 24).Text, late = best.Substring(12, 3), early = best.Substring(best.IndexOf(late, StringComparison.Ordinal) - 5, 4);
        string stops = string.Join(", ", new[] { late, "", early }.Select(stop => $"\"{JsonEncodedText.Encode(stop)}\""));
        JsonElement answer = await CompleteAsync($$"""{"prompt": "def add(a, b):\n", "n_predict": 24, "temperature": 0, "stop": [{{stops}}]}""");
        int end = best.IndexOf(early, StringComparison.Ordinal);
        Assert.That((Content(answer), StopType(answer)), Is.EqualTo((best[..end], "word")));
        Assert.That(answer.GetProperty("stopping_word").GetString(), Is.EqualTo(early));
        JsonElement one = await CompleteAsync(
            $$"""{"prompt": "def add(a, b):\n", "n_predict": 24, "temperature": 0, "stop": "{{JsonEncodedText.Encode(early)}}"}""");
        Assert.That(Content(one), Is.EqualTo(best[..end]));
    }

    [TestCase("a\n    b\n  c", 4, "a\n    b\n  ")]
    [TestCase("a\n\tb\n", 1, null)]
    [TestCase("a\n    b\n\nc", 4, "a\n    b\n", Description = "an empty line has no indent")]
    [TestCase("a\n    b\n    ", 4, null, Description = "the line may go on")]
    [TestCase("  a", 4, null, Description = "the first line goes on with the prompt's")]
    public void A_text_ends_before_what_is_indented_less(string text, int least, string? given)
    {
        int end = IndentCriterion.End(text, least);
        Assert.That(end < 0 ? null : text[..end], Is.EqualTo(given));
    }

    [Test]
    public async Task A_line_that_is_indented_less_ends_a_text()
    {
        const string Body = """{"prompt": "class Stack:\n    def push(self, x):\n", "n_predict": 60, "temperature": 0, "n_indent": 4""";
        string best = Best("class Stack:\n    def push(self, x):\n", 60).Text;
        int end = IndentCriterion.End(best, 4);
        Assert.That(end, Is.Positive, best);
        JsonElement answer = await CompleteAsync(Body + "}");
        Assert.That((Content(answer), StopType(answer)), Is.EqualTo((best[..end], "limit")));
        JsonElement[] frames = await Server.StreamAsync("/completion", Body + ", \"stream\": true}");
        Assert.That(string.Concat(frames.Select(Content)), Is.EqualTo(best[..end]));
    }

    [Test]
    public async Task Time_ends_a_text_at_a_lines_end()
    {
        Tokenizer tokenizer = Generator.Tokenizer;
        int[] line = Generator.Encode("x\n"), word = Generator.Encode("x");
        var late = new LineTimeCriterion(tokenizer, TimeSpan.FromTicks(1));
        Assert.That(late.IsMet(new GenerationState(word, 0, TimeSpan.Zero)), Is.False);
        Thread.Sleep(1);
        Assert.That(late.IsMet(new GenerationState(line, 0, TimeSpan.Zero)), Is.True);
        Assert.That(late.IsMet(new GenerationState(word, 0, TimeSpan.Zero)), Is.False, "a line is finished");
        var early = new LineTimeCriterion(tokenizer, TimeSpan.FromHours(1));
        Assert.That(early.IsMet(new GenerationState(line, 0, TimeSpan.Zero)), Is.False);

        string best = Best(Prompt, 200).Text;
        JsonElement answer = await CompleteAsync("""{"prompt": "def add(a, b):\n", "n_predict": 200, "temperature": 0, "t_max_predict_ms": 1}""");
        Assert.That(best, Does.StartWith(Content(answer)));
        Assert.That((Content(answer).Length < best.Length, Content(answer).TrimEnd(' ').EndsWith('\n'), StopType(answer)), Is.EqualTo((true, true, "limit")));
    }

    [TestCase("n_probs")]
    [TestCase("logprobs")]
    public async Task Probabilities_come_with_each_token(string name)
    {
        JsonElement answer = await CompleteAsync($$"""{"prompt": "def add(a, b):\n", "n_predict": 5, "temperature": 0, "{{name}}": 2}""");
        GeneratedSequence own = Generator.GenerateSequences([Prompt], new GenerationOptions { MaxNewTokens = 5, TopLogProbabilities = 2 }).Sequences[0];
        JsonElement[] all = [.. answer.GetProperty("completion_probabilities").EnumerateArray()];
        Assert.That(all.Select(one => Count(one, "id")), Is.EqualTo(own.TokenIds));
        for (int i = 0; i < all.Length; i++)
        {
            TokenProbability token = own.LogProbabilities![i];
            Assert.That(all[i].GetProperty("logprob").GetDouble(), Is.EqualTo(token.LogProbability).Within(1e-9));
            Assert.That(all[i].GetProperty("token").GetString(), Is.EqualTo(token.TokenText));
            Assert.That(all[i].GetProperty("bytes").EnumerateArray().Select(part => part.GetByte()), Is.EqualTo(Encoding.UTF8.GetBytes(token.TokenText)));
            Assert.That(all[i].GetProperty("top_logprobs").EnumerateArray().Select(one => Count(one, "id")),
                Is.EqualTo(token.Alternatives.Select(one => one.TokenId)));
        }
        JsonElement[] frames = await Server.StreamAsync("/completion",
            $$"""{"prompt": "def add(a, b):\n", "n_predict": 5, "temperature": 0, "{{name}}": 2, "stream": true}""");
        Assert.That(
            string.Join(",", frames[..^1].SelectMany(frame => frame.GetProperty("completion_probabilities").EnumerateArray()).Select(one => one.GetRawText())),
            Is.EqualTo(string.Join(",", all.Select(one => one.GetRawText()))));
    }

    // Continue and Tabby read content and stop of each frame.
    [Test]
    public async Task A_streams_frames_are_the_whole_text()
    {
        JsonElement[] frames = await Server.StreamAsync("/completion", """{"prompt": "def add(a, b):\n", "n_predict": 24, "temperature": 0, "stream": true}""");
        GeneratedSequence own = Best(Prompt, 24);
        Assert.That(string.Concat(frames.Select(Content)), Is.EqualTo(own.Text));
        Assert.That(frames.SelectMany(Ids), Is.EqualTo(own.TokenIds));
        Assert.That(frames[..^1].Select(frame => frame.GetProperty("stop").GetBoolean()), Has.All.False);
        Assert.That(frames[..^1].Select(frame => Count(frame, "tokens_predicted")), Is.Ordered);
        JsonElement last = frames[^1];
        Assert.That((last.GetProperty("stop").GetBoolean(), Content(last), Count(last, "tokens_predicted"), StopType(last)),
            Is.EqualTo((true, "", 24, "limit")));

        JsonElement[] several = await Server.StreamAsync("/completion",
            """
            {"prompt": ["def add(a, b):\n", "x = 1"], "n_cmpl": 2, "n_predict": 6, "temperature": 0, "stream": true,
             "response_fields": ["index", "timings/predicted_n"]}
            """);
        foreach (int index in new[] { 0, 1, 2, 3 })
        {
            JsonElement[] own6 = [.. several.Where(frame => Count(frame, "index") == index)];
            Assert.That(string.Concat(own6[..^1].Select(Content)), Is.EqualTo(Best(index < 2 ? Prompt : "x = 1", 6).Text), $"text {index}");
            Assert.That(own6[^1].GetRawText(), Is.EqualTo($$"""{"index":{{index}},"timings/predicted_n":6}"""));
        }
    }

    // Every frame has content and stop, which Tabby requires; the fields are theirs.
    [TestCase("""
        {"seed": 42, "prompt": "def add(a, b):\n", "n_predict": 8, "temperature": 0.0, "stream": true,
         "penalty_last_n": 0, "presence_penalty": 0.0}
        """)]
    [TestCase("""
        {"model": "demo-codegen", "prompt": "def add(a, b):\n", "stream": true, "n_predict": 8, "frequency_penalty": 0, "presence_penalty": 0, "min_p": 0,
         "mirostat": 0, "stop": ["<|endoftext|>"], "top_k": 40, "top_p": 1, "temperature": 0}
        """)]
    public async Task Tabby_and_Continue_read_the_frames(string body)
    {
        JsonElement[] frames = await Server.StreamAsync("/completion", body);
        Assert.That(string.Concat(frames.Select(Content)), Is.EqualTo(Best(Prompt, 8).Text));
        Assert.That(frames.Select(frame => frame.GetProperty("stop").GetBoolean()), Is.EqualTo(Enumerable.Repeat(false, frames.Length - 1).Append(true)));
    }

    [Test]
    public void A_stream_may_be_silent_for_as_long_as_asked()
    {
        TimeSpan PingOf(string body) => LlamaRequest.Read(
            new RequestFields(JsonElement.Parse(body), RouteManifest.Routes["POST /completion"].Fields), new ServerOptions()).Ping;
        Assert.That(PingOf("{}"), Is.EqualTo(KeepAlive.Interval));
        Assert.That(PingOf("""{"sse_ping_interval": 3}"""), Is.EqualTo(TimeSpan.FromSeconds(3)));
        Assert.That(PingOf("""{"sse_ping_interval": -1}"""), Is.EqualTo(Timeout.InfiniteTimeSpan));
    }

    [Test]
    public async Task A_prompt_is_cached_unless_not_wanted()
    {
        string prompt = string.Concat(Enumerable.Range(0, 30).Select(i => $"cached_{i} = {i}\\n"));
        async Task<(int Cached, int Read)> TimesAsync(string more)
        {
            JsonElement answer = await CompleteAsync($$"""{"prompt": "{{prompt}}", "n_predict": 1{{more}}}""");
            JsonElement times = answer.GetProperty("timings");
            Assert.That(Count(times, "cache_n") + Count(times, "prompt_n"), Is.EqualTo(Count(answer, "tokens_evaluated")));
            return (Count(times, "cache_n"), Count(times, "prompt_n"));
        }
        Assert.That((await TimesAsync(", \"cache_prompt\": false")).Cached, Is.Zero);
        Assert.That((await TimesAsync("")).Cached, Is.Zero, "what is not to be cached is not kept");
        Assert.That((await TimesAsync("")).Cached, Is.GreaterThan(100));
        Assert.That((await TimesAsync(", \"cache_prompt\": false")).Cached, Is.Zero);
    }

    [Test]
    public async Task Response_fields_are_flat_keys_in_their_order()
    {
        const string Body = """{"prompt": "def add(a, b):\n", "n_predict": 6, "temperature": 0, "response_fields": """;
        string own = JsonEncodedText.Encode(Best(Prompt, 6).Text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
        Assert.That(
            await Server.PostRawAsync("/completion", Body + """["timings/predicted_n", "content", "no/such", "stop/none", "generation_settings/n_ctx"]}"""),
            Is.EqualTo($$"""{"timings/predicted_n":6,"content":"{{own}}","generation_settings/n_ctx":512}"""));
        Assert.That(await Server.PostRawAsync("/completion", Body + """[""]}"""), Is.EqualTo("{}"));
        Assert.That((await CompleteAsync(Body + "[]}")).TryGetProperty("timings", out _), Is.True);
    }
}
