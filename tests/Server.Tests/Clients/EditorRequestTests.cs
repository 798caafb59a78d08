using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>What editors and other programs send, field by field as their sources write it, and what they read of the answers. Others are with the routes:
/// llama.vim in LlamaInfillTests, Zed and the harness's local-completions in OpenAIClientTests.</summary>
public sealed class EditorRequestTests
{
    private const string Completions = "/v1/completions", Prompt = "def add(a, b):\n";
    private const string Prefix = "def add(a, b):\n    return ", Suffix = "\n\nprint(add(1, 2))\n";
    private static readonly string s_gap = $"\"prompt\": {JsonSerializer.Serialize(Prefix)}, \"suffix\": {JsonSerializer.Serialize(Suffix)}";
    private static readonly string s_prompt = $"\"prompt\": {JsonSerializer.Serialize(Prompt)}";
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(ModelPath("demo-codegen"));

    [OneTimeTearDown]
    public void Unload() => _generator.Dispose();

    // With an empty key and model, as it always sends them.
    [Test]
    public async Task Llama_vim_warms_its_ring_of_chunks()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/infill")
        {
            Content = new StringContent("""
                {"id_slot": 0, "input_prefix": "", "input_suffix": "", "input_extra": [{"text": "x = 1\n", "time": [1, 2], "filename": "a.py"}], "prompt": "",
                 "n_predict": 0, "temperature": 0.0, "stream": false, "samplers": [], "cache_prompt": true, "t_max_prompt_ms": 1, "t_max_predict_ms": 1,
                 "response_fields": [""], "model": ""}
                """, Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer ");
        using HttpResponseMessage answer = await Client.SendAsync(request);
        Assert.That(await answer.Content.ReadAsStringAsync(), Is.EqualTo("{}"));
    }

    [Test]
    public async Task Llama_vscode_gets_three_texts_at_a_time()
    {
        JsonElement answer = await PostAsync("/infill", """
            {"id_slot": 0, "input_prefix": "def add(a, b):\n", "input_suffix": "\nprint(add(1, 2))\n", "input_extra": [], "prompt": "    return ",
             "n_predict": 128, "n_cmpl": 3, "top_k": 40, "top_p": 0.99, "stream": false, "samplers": ["top_k", "top_p", "infill"], "cache_prompt": true,
             "n_indent": 4, "t_max_prompt_ms": 500, "t_max_predict_ms": 500, "model": "demo-codegen"}
            """);
        Assert.That(answer.EnumerateArray().Select(one => one.GetProperty("content").ValueKind), Is.EqualTo(Enumerable.Repeat(JsonValueKind.String, 3)));
    }

    [Test]
    public async Task Llama_vscode_reads_health_context_tokens_and_vectors()
    {
        Assert.That((await GetAsync("/health")).GetProperty("status").GetString(), Is.EqualTo("ok"));
        Assert.That((await GetAsync("/props")).GetProperty("default_generation_settings").GetProperty("n_ctx").GetInt32(), Is.EqualTo(512));
        JsonElement tokens = await PostAsync("/tokenize",
            $$"""{"content": {{JsonSerializer.Serialize(Prompt)}}, "add_special": false, "parse_special": true}""");
        Assert.That(tokens.GetProperty("tokens").GetArrayLength(), Is.EqualTo(_generator.Encode(Prompt).Length));
        JsonElement vectors = await PostAsync("/v1/embeddings", """{"input": "Sort a list.", "model": "demo-embed", "encoding_format": "float"}""");
        Assert.That(vectors.GetProperty("data")[0].GetProperty("embedding")[0].ValueKind, Is.EqualTo(JsonValueKind.Number));
    }

    [Test]
    public async Task Llama_vscode_speaks_OpenAIs_form_where_it_is_told_to()
    {
        JsonElement answer = await PostAsync(Completions,
            $$"""{"model": "demo-codegen", {{s_prompt}}, "max_tokens": 8, "temperature": 0.1, "top_p": 0.99, "stream": false}""");
        Assert.That(answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.AnyOf("stop", "length"));
        Assert.That(answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.LessThanOrEqualTo(8));
    }

    // Both read every event as one with choices[0]: Tabby (kind openai/completion) up to the first that has a reason, minuet until the stream ends.
    [TestCase("""{"model": "demo-codegen", GAP, "max_tokens": 12, "temperature": 0, "stream": true, "presence_penalty": 0.0}""", Description = "Tabby")]
    [TestCase("""{"model": "demo-codegen", GAP, "max_tokens": 12, "temperature": 0, "stream": true, "top_p": 0.9}""", Description = "minuet")]
    public async Task Gaps_are_filled_while_they_read(string body)
    {
        JsonElement[] choices = await StreamAsync(Completions, body.Replace("GAP", s_gap, StringComparison.Ordinal));
        Assert.That(string.Concat(choices.Select(Text)), Is.EqualTo(Infilled(12)));
        Assert.That(choices.Select(choice => choice.GetProperty("finish_reason").ValueKind == JsonValueKind.String),
            Is.EqualTo(Enumerable.Repeat(false, choices.Length - 1).Append(true)), "the reason comes last, before [DONE]");
    }

    [TestCase("/embedding", """{"content": "Sort a list."}""", Description = "kind llama.cpp/embedding")]
    [TestCase("/v1/embeddings", """{"input": "Sort a list.", "model": "demo-embed"}""", Description = "kind openai/embedding")]
    public async Task Tabby_reads_vectors(string route, string body)
    {
        JsonElement answer = await PostAsync(route, body);
        JsonElement vector = answer.ValueKind == JsonValueKind.Array
            ? answer[0].GetProperty("embedding")[0] : answer.GetProperty("data")[0].GetProperty("embedding");
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        Assert.That(Numbers(vector), Is.EqualTo(pipeline.Embed("Sort a list.")).Within(1e-5));
    }

    [Test]
    public async Task Copilots_gateway_lists_models_and_fills_gaps()
    {
        foreach (string route in new[] { "/v1/models", "/models" })
        {
            Assert.That((await GetAsync(route)).GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()),
                Does.Contain("demo-codegen"), route);
        }
        JsonElement answer = await PostAsync(Completions, $$"""{"model": "demo-codegen", {{s_gap}}, "max_tokens": 12, "temperature": 0.2, "stream": false}""");
        Assert.That(Text(answer.GetProperty("choices")[0]), Is.Not.Null);
    }

    // VS Code's own client: several choices that it tells apart by their index, with hints that change nothing.
    [Test]
    public async Task Copilot_reads_choices_of_an_engine_by_their_index()
    {
        JsonElement[] choices = await StreamAsync("/v1/engines/gpt-41-copilot/completions", $$$"""
            {{{{s_gap}}}, "max_tokens": 12, "temperature": 0, "top_p": 1, "n": 2, "stop": ["\n"], "stream": true, "nwo": "org/repo", "code_annotations": false,
             "extra": {"language": "python", "next_indent": 4, "trim_by_indentation": true, "prompt_tokens": 20, "suffix_tokens": 8, "context": []}}
            """);
        string own = _generator.Infill(Prefix, Suffix, new GenerationOptions { MaxNewTokens = 12, StopStrings = ["\n"] });
        for (int i = 0; i < 2; i++)
            Assert.That(string.Concat(choices.Where(choice => choice.GetProperty("index").GetInt32() == i).Select(Text)), Is.EqualTo(own), $"choice {i}");
    }

    [Test]
    public async Task Twinny_reads_either_form()
    {
        string llama = await TextAsync("/completion", $$"""{{{s_prompt}}, "stream": true, "temperature": 0, "max_tokens": 12}""");
        Assert.That(string.Concat(Events(llama).Select(frame => frame.GetProperty("content").GetString())), Is.EqualTo(Best(12)));
        JsonElement[] choices = await StreamAsync(Completions,
            $$"""{"model": "demo-codegen", {{s_prompt}}, "stream": true, "temperature": 0, "max_tokens": 12}""");
        Assert.That(string.Concat(choices.Select(Text)), Is.EqualTo(Best(12)));
    }

    // llm.nvim and llm-vscode, through llm-ls; its form of text-generation-inference, which is no list, is not among them.
    [Test]
    public async Task Llm_ls_reads_three_backends()
    {
        string inputs = JsonSerializer.Serialize(Prompt);
        JsonElement hub = await PostAsync("/models/demo-codegen",
            $$$"""{"inputs": {{{inputs}}}, "parameters": {"max_new_tokens": 12, "do_sample": false, "return_full_text": false}}""");
        Assert.That(hub[0].GetProperty("generated_text").GetString(), Is.EqualTo(Best(12)));
        JsonElement llama = await PostAsync("/completions", $$"""{{{s_prompt}}, "n_predict": 12, "temperature": 0}""");
        Assert.That(llama.GetProperty("content").GetString(), Is.EqualTo(Best(12)));
        JsonElement openai = await PostAsync(Completions,
            $$"""{"max_tokens": 12, "temperature": 0, {{s_prompt}}, "model": "demo-codegen", "stream": false}""");
        Assert.That(Text(openai.GetProperty("choices")[0]), Is.EqualTo(Best(12)));
    }

    // lm-evaluation-harness, gguf: a text, ten log probabilities a token, and places counted from the beginning of the prompt.
    [Test]
    public async Task The_harness_finds_the_continuation_by_its_offsets()
    {
        const string Context = "def add(a, b):\n    return", Continuation = " a + b";
        JsonElement answer = await PostAsync(Completions, $$"""
            {"prompt": {{JsonSerializer.Serialize(Context + Continuation)}}, "logprobs": 10, "temperature": 0.0, "max_tokens": 1, "echo": true}
            """);
        JsonElement all = answer.GetProperty("choices")[0].GetProperty("logprobs");
        int[] offsets = [.. all.GetProperty("text_offset").EnumerateArray().Select(one => one.GetInt32())];
        string[] tokens = [.. all.GetProperty("tokens").EnumerateArray().Select(one => one.GetString()!)];
        int first = Array.FindIndex(offsets, offset => offset >= Context.Length);
        Assert.That(string.Concat(tokens[first..^1]), Is.EqualTo(Continuation));
        Assert.That(all.GetProperty("top_logprobs").EnumerateArray().Skip(first).Select(top => top.EnumerateObject().Count()),
            Has.All.GreaterThanOrEqualTo(10));
    }

    private string Infilled(int tokens) => _generator.Infill(Prefix, Suffix, new GenerationOptions { MaxNewTokens = tokens });

    private string Best(int tokens) => _generator.Generate(Prompt, new GenerationOptions { MaxNewTokens = tokens });

    private static string Text(JsonElement choice) => choice.GetProperty("text").GetString()!;

    private static async Task<JsonElement> GetAsync(string route) => JsonElement.Parse(await Client.GetStringAsync(new Uri(route, UriKind.Relative)));

    private static async Task<string> TextAsync(string route, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await Client.PostAsync(new Uri(route, UriKind.Relative), content);
        return await answer.Content.ReadAsStringAsync();
    }

    private static JsonElement[] Events(string stream) =>
        [.. stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line["data: ".Length..]))];

    // The choices of a stream of OpenAI's.
    private static async Task<JsonElement[]> StreamAsync(string route, string body)
    {
        string text = await TextAsync(route, body);
        Assert.That(text, Does.EndWith("data: [DONE]\n\n"));
        return [.. Events(text[..^"data: [DONE]\n\n".Length]).Select(chunk => chunk.GetProperty("choices")[0])];
    }
}
