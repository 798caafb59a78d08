using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>What is in the texts of /v1/completions, and what is counted of them.</summary>
public sealed class CompletionTextTests
{
    [Test]
    public async Task Special_tokens_are_in_a_text_only_where_they_are_asked_for()
    {
        const string Bias = "\"logit_bias\": {\"8190\": 100}, \"max_tokens\": 3, \"temperature\": 0";
        foreach ((string field, string text) in new[] { ("", ""), (", \"skip_special_tokens\": false", "<sep><sep><sep>") })
        {
            JsonElement answer = await PostAsync("/v1/completions", $"{{\"prompt\": \"def f(\", {Bias}{field}}}");
            Assert.That(answer.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(text));
            Assert.That(answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(3));
        }
    }

    [TestCase("", 0, 0, Description = "the token that stands for an empty prompt has no text")]
    [TestCase("a b", 0, 3)]
    public async Task Offsets_are_those_of_the_text(string prompt, int first, int generated)
    {
        JsonElement answer = await PostAsync("/v1/completions",
            $$"""{"prompt": "{{prompt}}", "max_tokens": 4, "temperature": 0, "echo": true, "logprobs": 0, "logit_bias": {"8190": 100} }""");
        int[] offsets = [.. answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("text_offset").EnumerateArray().Select(one => one.GetInt32())];
        Assert.That(offsets[0], Is.EqualTo(first));
        Assert.That(offsets[^4..], Is.All.EqualTo(generated), "special tokens have no text either");
    }

    [Test]
    public async Task Several_texts_of_a_prompt_do_not_count_it_as_cached()
    {
        const string Body = """{"prompt": "q284636(14175)\n", "max_tokens": 3, "n": 3, "temperature": 0}""";
        JsonElement first = await PostAsync("/v1/completions", Body);
        Assert.That(first.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32(), Is.Zero);
    }

    [TestCase("""{"prompt": "a", "max_tokens": 1, "n": 2, "temperature": 0}""")]
    [TestCase("""{"prompt": "a", "max_tokens": 5, "n": 2, "temperature": 0, "logit_bias": {"8188": 100}}""", Description = "the first token ends it")]
    public async Task Several_texts_that_end_with_their_first_token_are_answered(string body) =>
        Assert.That((await PostAsync("/v1/completions", body)).GetProperty("choices").GetArrayLength(), Is.EqualTo(2));
}
