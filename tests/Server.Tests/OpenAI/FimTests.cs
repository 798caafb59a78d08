using System.Net;
using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>Infilling in Mistral's form, for Continue (<c>provider: mistral</c>), Tabby (<c>mistral/completion</c>) and minuet (<c>codestral</c>).</summary>
public sealed class FimTests
{
    private const string Prefix = "def add(a, b):\n    return ", Suffix = "\n\nprint(add(1, 2))\n";
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(ModelPath("demo-codegen"));

    [OneTimeTearDown]
    public void Unload() => _generator.Dispose();

    // Also with null for what Continue leaves out.
    [TestCase("/v1/fim/completions", "")]
    [TestCase("/fim/completions", ", \"top_p\": null, \"max_completion_tokens\": null, \"stop\": [\"\\n\\n\\n\"]")]
    public async Task A_gap_is_filled_in_Mistrals_form(string route, string more)
    {
        JsonElement answer = await PostAsync(route, Body($", \"max_tokens\": 12, \"temperature\": 0{more}"));
        JsonElement choice = answer.GetProperty("choices")[0];
        Assert.That(choice.GetProperty("message").GetProperty("content").GetString(),
            Is.EqualTo(_generator.Infill(Prefix, Suffix, new GenerationOptions { MaxNewTokens = 12 })));
        Assert.That((answer.GetProperty("object").GetString(), choice.GetProperty("message").GetProperty("role").GetString()),
            Is.EqualTo(("chat.completion", "assistant")));
        Assert.That((answer.GetProperty("model").GetString(), answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32() > 0),
            Is.EqualTo(("demo-codegen", true)));
    }

    [Test]
    public async Task A_streams_deltas_are_the_text()
    {
        using var content = new StringContent(Body(", \"max_tokens\": 12, \"temperature\": 0, \"stream\": true"), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await Client.PostAsync(new Uri("/v1/fim/completions", UriKind.Relative), content);
        string[] events = (await answer.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        JsonElement[] choices = [.. events[..^1].Select(one => JsonElement.Parse(one["data: ".Length..]).GetProperty("choices")[0])];
        Assert.That(events[^1], Is.EqualTo("data: [DONE]"));
        Assert.That(string.Concat(choices.Select(choice => choice.GetProperty("delta").GetProperty("content").GetString())),
            Is.EqualTo(_generator.Infill(Prefix, Suffix, new GenerationOptions { MaxNewTokens = 12 })));
        Assert.That(choices.Select(choice => choice.GetProperty("finish_reason").ValueKind == JsonValueKind.Null),
            Is.EqualTo(Enumerable.Repeat(true, choices.Length - 1).Append(false)), "Tabby ends at the first reason");
    }

    [Test]
    public async Task Fields_are_the_generators_options()
    {
        JsonElement drawn = await PostAsync("/v1/fim/completions",
            Body(", \"max_tokens\": 16, \"min_tokens\": 8, \"temperature\": 0.9, \"top_p\": 0.8, \"random_seed\": 7"));
        var options = new GenerationOptions
        {
            MaxNewTokens = 16, MinNewTokens = 8, DoSample = true, Temperature = 0.9, TopP = 0.8, TopK = 0, Seed = 7, RepetitionPenalty = 1,
        };
        Assert.That(drawn.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(),
            Is.EqualTo(_generator.Infill(Prefix, Suffix, options)));
        JsonElement plain = await PostAsync("/v1/fim/completions", """{"prompt": "x = 1\nx = 1\nx", "max_tokens": 30, "temperature": 0}""");
        foreach (string penalty in new[] { "frequency_penalty", "presence_penalty" })
        {
            JsonElement other = await PostAsync("/v1/fim/completions",
                $$"""{"prompt": "x = 1\nx = 1\nx", "max_tokens": 30, "temperature": 0, "{{penalty}}": 2}""");
            Assert.That(other.GetProperty("choices")[0].GetRawText(), Is.Not.EqualTo(plain.GetProperty("choices")[0].GetRawText()), penalty);
        }
    }

    [TestCase("""{"max_tokens": 4}""", "Field 'prompt' is needed")]
    [TestCase("""{"prompt": ["a"]}""", "Field 'prompt': type must be string")]
    [TestCase("""{"prompt": "a", "echo": true}""", "Field 'echo' is not known here")]
    public async Task What_is_wrong_is_said_in_OpenAIs_form(string body, string message)
    {
        (HttpStatusCode status, JsonElement answer, _) = await SendAsync("/v1/fim/completions", body);
        Assert.That(status, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(answer.GetProperty("error").GetProperty("message").GetString(), Does.StartWith(message));
    }

    private static string Body(string more) =>
        $$"""{"model": "demo-codegen", "prompt": {{JsonSerializer.Serialize(Prefix)}}, "suffix": {{JsonSerializer.Serialize(Suffix)}}{{more}}}""";
}
