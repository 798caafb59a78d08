using System.Net;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Server.Tests;

/// <summary>What llama.cpp's routes refuse, and how they say it.</summary>
public sealed class LlamaRefusalTests : LlamaTests
{
    public static IEnumerable<TestCaseData> OtherFields => from route in LlamaRoutes.All
        let entry = RouteManifest.Routes[route.Key]
        where entry.Body is not null
        from one in entry.Fields
        where one.Value.Status is EntryStatus.Refused or EntryStatus.ByDesign
        select new TestCaseData(route.Key, one.Key, one.Value.Status == EntryStatus.Refused).SetArgDisplayNames(route.Key, one.Key);

    [TestCaseSource(nameof(OtherFields))]
    public async Task A_field_that_is_not_honoured_is_refused_by_name_or_documented(string route, string field, bool isRefused)
    {
        RouteEntry entry = RouteManifest.Routes[route];
        string Body(JsonElement value) => field switch
        {
            "prompt.multimodal_data" => $$"""{"prompt": {"prompt_string": "a", "multimodal_data": {{value.GetRawText()}}}, "n_predict": 1}""",
            "input_extra.time" =>
                $$"""{"input_prefix": "a", "input_suffix": "b", "n_predict": 1, "input_extra": [{"text": "c", "time": {{value.GetRawText()}}}]}""",
            _ => $"{entry.Body!.Value.GetRawText().TrimEnd()[..^1]}, \"{field}\": {value.GetRawText()}}}",
        };
        using HttpResponseMessage answer = await Server.SendAsync(route.Split(' ')[1], Body(entry.Fields[field].Sample!.Value));
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(isRefused ? 400 : 200), text);
        if (isRefused)
            Assert.That(JsonElement.Parse(text).GetProperty("error").GetProperty("message").GetString(), Does.Contain($"Field '{field}' is not supported: "));
        foreach (JsonElement neutral in entry.Fields[field].Neutral)
            await Server.PostRawAsync(route.Split(' ')[1], Body(neutral));
    }

    [TestCase("/completion", """{"prompt": "a", "n_predict": -2}""", "Field 'n_predict': Value must be between -1 <= value <= 2147483647, but got -2")]
    [TestCase("/completion", """{"prompt": "a", "n_predict": 2147483648}""", "between -1 <= value <= 2147483647, but got 2147483648")]
    [TestCase("/completion", """{"prompt": "a", "n_cmpl": 33}""", "Field 'n_cmpl': Value must be between 1 <= value <= 32, but got 33")]
    [TestCase("/completion", """{"prompt": "a", "n_predict": "ten"}""", "Field 'n_predict': type must be integer, but is string")]
    [TestCase("/completion", """{"prompt": "a", "stream": "yes"}""", "Field 'stream': type must be boolean, but is string")]
    [TestCase("/completion", """{"prompt": "a", "n_predict": 1, "max_tokens": 2}""", "mean the same and differ")]
    [TestCase("/completion", """{"n_predict": 1}""", "\"prompt\" must be provided")]
    [TestCase("/completion", """{"prompt": []}""", "0 prompts")]
    [TestCase("/completion", """{"prompt": [[]]}""", "an empty list")]
    [TestCase("/completion", """{"prompt": 5}""", "Field 'prompt': type must be string")]
    [TestCase("/completion", """{"prompt": ["a", true]}""", "Field 'prompt': type must be string")]
    [TestCase("/completion", """{"prompt": [1, true]}""", "Field 'prompt': type must be array of integer and string, but is boolean")]
    [TestCase("/completion", """{"prompt": [999999]}""", "999999")]
    [TestCase("/completion", """{"prompt": {"text": "a"}}""", "prompt.prompt_string")]
    [TestCase("/completion", """{"prompt": "a", "samplers": ["top_q"]}""", "Field 'samplers' has 'top_q'; there are penalties, dry,")]
    [TestCase("/completion", """{"prompt": "a", "samplers": "kp"}""", "Field 'samplers': type must be array of string, but is string")]
    [TestCase("/completion", """{"prompt": "a", "logit_bias": [[999999, 1]]}""", "token 999999; the model has 8192")]
    [TestCase("/completion", """{"prompt": "a", "logit_bias": [[1, "x"]]}""", "neither a number nor false")]
    [TestCase("/completion", """{"prompt": "a", "logit_bias": [1]}""", "array of [token, bias]")]
    [TestCase("/completion", """{"prompt": "a", "response_fields": "content"}""", "Field 'response_fields': type must be array of string, but is string")]
    [TestCase("/completion", """{"prompt": "a", "temperature": 2000}""", "Field 'temperature'")]
    [TestCase("/completion", """{"prompt": "a", "n_predct": 1}""", "Field 'n_predct' is not known here; the nearest is 'n_predict'")]
    [TestCase("/completion", "[]", "The body is no JSON object")]
    [TestCase("/infill", """{"input_suffix": ""}""", "\"input_prefix\" is required")]
    [TestCase("/infill", """{"input_prefix": ""}""", "\"input_suffix\" is required")]
    [TestCase("/infill", """{"input_prefix": "", "input_suffix": "", "input_extra": {}}""", "\"input_extra\" must be an array of")]
    [TestCase("/infill", """{"input_prefix": "", "input_suffix": "", "input_extra": [{}]}""", "must contain a \"text\" field")]
    [TestCase("/infill", """{"input_prefix": "", "input_suffix": "", "input_extra": [{"text": 1}]}""",
        "Field 'input_extra.text': type must be string, but is number")]
    [TestCase("/infill", """{"input_prefix": "", "input_suffix": "", "prompt": ["a"]}""", "Field 'prompt': type must be string, but is array")]
    [TestCase("/tokenize", """{"content": 5}""", "Field 'content': type must be string, or array of integer and string, but is number")]
    [TestCase("/tokenize", """{"content": [999999]}""", "There is no token 999999")]
    [TestCase("/detokenize", """{"tokens": [-1]}""", "There is no token -1")]
    [TestCase("/embedding", "{}", "\"input\" or \"content\" must be provided")]
    [TestCase("/embedding", """{"content": ""}""", "Field 'content' has an empty text")]
    [TestCase("/embedding", """{"content": "a", "embd_normalize": -2}""", "Field 'embd_normalize'")]
    public async Task What_is_wrong_is_said_in_llama_cpps_form(string route, string body, string message)
    {
        (HttpStatusCode status, JsonElement error) = await Server.ErrorAsync(route, body);
        Assert.That(error.GetProperty("message").GetString(), Does.Contain(message));
        Assert.That((status, error.GetProperty("code").GetInt32(), error.GetProperty("type").GetString()),
            Is.EqualTo((HttpStatusCode.BadRequest, 400, "invalid_request_error")));
        Assert.That(error.EnumerateObject().Select(key => key.Name), Is.EqualTo(new[] { "code", "message", "type" }));
    }

    // Nothing that a field may hold fails the server, and refusals are in its form.
    [TestCase("/completion", "{\"prompt\": \"x =\", \"n_predict\": 2")]
    [TestCase("/infill", "{\"input_prefix\": \"x =\", \"input_suffix\": \"\", \"n_predict\": 2")]
    [TestCase("/tokenize", "{\"content\": \"x =\"")]
    [TestCase("/detokenize", "{\"tokens\": [1]")]
    [TestCase("/embeddings", "{\"content\": \"x =\"")]
    public async Task A_field_of_any_type_is_answered_or_refused(string route, string body)
    {
        string[] values =
        [
            "null", "true", "0", "-1", "1", "1.5", "1e308", "-1e308", "1e-40", "9000000000000000000", "1e400", "\"\"", "\"a\"", "\"\\ud800\"", "[]", "[1]",
            "[1e400]", "[\"a\"]", "[\"\\ud800\"]", "[[1, 2]]", "[[1, 3e38], [1, 3e38]]", "[[]]", "[null]", "[{}]", "{}", "{\"a\": 1}", "{\"1\": false}",
        ];
        foreach (string field in RouteManifest.Routes["POST " + route].Fields.Keys)
        {
            foreach (string value in values)
            {
                JsonObject one = JsonNode.Parse(body + "}")!.AsObject();
                one.Remove(field);
                string all = one.ToJsonString()[..^1] + (one.Count == 0 ? "" : ", ") + $"\"{field}\": {value}}}";
                using HttpResponseMessage answer = await Server.SendAsync(route, all);
                string text = await answer.Content.ReadAsStringAsync();
                Assert.That((int)answer.StatusCode, Is.AnyOf(200, 400, 404, 501), $"{all}: {text}");
                if (!answer.IsSuccessStatusCode)
                    Assert.That(JsonElement.Parse(text).GetProperty("error").GetProperty("code").GetInt32(), Is.EqualTo((int)answer.StatusCode));
            }
        }
    }

    [Test]
    public async Task A_model_that_there_is_not_is_named_with_the_nearest()
    {
        (HttpStatusCode status, JsonElement error) = await Server.ErrorAsync("/completion", """{"prompt": "a", "model": "demo-codegem"}""");
        Assert.That((status, error.GetProperty("type").GetString()), Is.EqualTo((HttpStatusCode.NotFound, "not_found_error")));
        Assert.That(error.GetProperty("message").GetString(), Does.Contain("demo-codegen"));
        (status, error) = await Server.ErrorAsync("/completion", """{"prompt": "a", "model": "demo-embed"}""");
        Assert.That((status, error.GetProperty("type").GetString()), Is.EqualTo((HttpStatusCode.NotImplemented, "not_supported_error")));
    }

    [TestCase("")]
    [TestCase(", \"stream\": true", Description = "before a stream begins")]
    public async Task A_prompt_that_is_too_long_has_the_numbers(string more)
    {
        string ids = string.Join(',', Enumerable.Repeat(Generator.Encode("x")[0], 512));
        (HttpStatusCode status, JsonElement error) = await Server.ErrorAsync("/completion", $$"""{"prompt": [{{ids}}], "n_predict": 1{{more}}}""");
        Assert.That(status, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(error.GetRawText(), Is.EqualTo(
            """{"code":400,"message":"request (512 tokens) exceeds the available context size (512 tokens), try increasing it",""" +
            "\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":512,\"n_ctx\":512}"));
    }
}
