namespace ManagedTransformers.Server.Tests;

/// <summary>npm's <c>openai</c>, OpenAI's client for JavaScript.</summary>
public sealed class OpenAINodeTests() : NodeClientTests("openai.mjs")
{
    [Test]
    public void A_text_is_the_generators_own()
    {
        JsonElement answer = Answer("whole"), usage = answer.GetProperty("usage");
        int prompt = Generator.Encode(Prompt).Length;
        Assert.That((Text(answer), answer.GetProperty("object").GetString()), Is.EqualTo((Best(Prompt, 12), "text_completion")));
        Assert.That((Count(usage, "prompt_tokens"), Count(usage, "completion_tokens"), Count(usage, "total_tokens")), Is.EqualTo((prompt, 12, prompt + 12)));
    }

    [Test]
    public void Prompts_have_n_choices_each()
    {
        string[] texts = [.. Answer("several").GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()!)];
        Assert.That(texts, Is.EqualTo(new[] { Best("x = 1", 4), Best("x = 1", 4), Best("def f(", 4), Best("def f(", 4) }));
    }

    [Test]
    public void A_stop_ends_a_text()
    {
        JsonElement choice = Answer("stopped").GetProperty("choices")[0];
        Assert.That((choice.GetProperty("text").GetString(), choice.GetProperty("finish_reason").GetString()),
            Is.EqualTo((Best(Prompt, 24, "\n"), "stop")));
    }

    [Test]
    public void An_echo_has_log_probabilities_of_all_tokens()
    {
        JsonElement choice = Answer("probabilities").GetProperty("choices")[0], all = choice.GetProperty("logprobs");
        int tokens = Generator.Encode(Prompt).Length + 2;
        Assert.That(choice.GetProperty("text").GetString(), Is.EqualTo(Prompt + Best(Prompt, 2)));
        foreach (string list in new[] { "tokens", "token_logprobs", "top_logprobs", "text_offset" })
            Assert.That(all.GetProperty(list).GetArrayLength(), Is.EqualTo(tokens), list);
        Assert.That(all.GetProperty("token_logprobs")[0].ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void A_streams_chunks_are_the_text_and_end_with_the_usage()
    {
        JsonElement[] chunks = [.. Answer("streamed").EnumerateArray()];
        Assert.That(string.Concat(chunks[..^1].Select(Text)), Is.EqualTo(Best(Prompt, 24)));
        Assert.That(chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
        Assert.That(Count(chunks[^1].GetProperty("usage"), "completion_tokens"), Is.EqualTo(24));
    }

    [Test]
    public void A_suffix_is_infilled() => Assert.That(Text(Answer("infilled")),
        Is.EqualTo(Generator.Infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", new GenerationOptions { MaxNewTokens = 12 })));

    // Without a format the client asks for base64, and gives numbers.
    [TestCase("base64")]
    [TestCase("float")]
    public void Vectors_are_the_pipelines(string call)
    {
        using var pipeline = SentenceEmbeddingPipeline.Load(ModelPath("demo-embed"));
        Assert.That(Vectors(Answer(call)), Is.EqualTo(pipeline.Embed(["Sort a list.", "Read a file."])).Within(1e-5));
    }

    [Test]
    public void Vectors_are_as_long_as_asked() => Assert.That(Vectors(Answer("shorter")).Select(vector => vector.Length), Is.EqualTo(new[] { 64, 64 }));

    [Test]
    public void Models_are_listed()
    {
        Assert.That(Answer("models").EnumerateArray().Select(model => model.GetProperty("id").GetString()),
            Does.Contain("demo-codegen").And.Contain("demo-tag"));
        Assert.That(Count(Answer("model"), "max_model_len"), Is.EqualTo(512));
    }

    [TestCase("wrongKey", "AuthenticationError", 401, "Invalid API key")]
    [TestCase("unknownModel", "NotFoundError", 404, "demo-codegen")]
    [TestCase("unknownModelOfPath", "NotFoundError", 404, "demo-codegen")]
    [TestCase("wrongValue", "BadRequestError", 400, "Field 'temperature': Value must be between 0 <= value <= 2, but got 3")]
    [TestCase("tooLong", "BadRequestError", 400, "the model reads at most 512 together")]
    [TestCase("chat", "NotFoundError", 404, "/v1/completions")]
    public void What_is_wrong_is_the_clients_own_error(string call, string name, int status, string message)
    {
        (string Name, int Status, string Message) error = Error(call);
        Assert.That((error.Name, error.Status), Is.EqualTo((name, status)));
        Assert.That(error.Message, Does.Contain(message));
    }

    [Test]
    public async Task A_stream_that_is_left_frees_its_rows()
    {
        Assert.That(Count(Answer("aborted"), "during"), Is.GreaterThan(0));
        Assert.That(await NewTokensAsync(), Is.LessThan(64 * 16 * 500), "the texts did not go on to their ends");
    }

    private static int Count(JsonElement value, string name) => value.GetProperty(name).GetInt32();

    private static float[][] Vectors(JsonElement answer) => [.. answer.GetProperty("data").EnumerateArray()
        .Select(one => one.GetProperty("embedding").EnumerateArray().Select(value => value.GetSingle()).ToArray())];
}
