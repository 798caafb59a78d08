using System.Net;
using System.Text.Json.Nodes;
using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>Nothing that a field may hold fails the server: values of all types, in each field of the routes over encoders, of the hub's tasks and of Mistral's
/// infilling.</summary>
public sealed class FieldTypeTests
{
    private static readonly string[] s_values =
    [
        "null", "true", "0", "-1", "1", "1.5", "1e308", "-1e308", "1e-40", "9000000000000000000", "1e400", "\"\"", "\"a\"", "\"\\ud800\"", "\"\\u0000\"", "[]",
        "[1]", "[-1]", "[1e400]", "[\"a\"]", "[\"\\ud800\"]", "[[1, 2]]", "[[1, 3e38]]", "[[]]", "[null]", "[{}]", "{}", "{\"a\": 1}", "{\"text\": 5}",
    ];

    [TestCase("/embed", """{"inputs": "a"}""")]
    [TestCase("/embed_all", """{"inputs": "a"}""")]
    [TestCase("/similarity", """{"inputs": {"source_sentence": "a", "sentences": ["b"]}}""")]
    [TestCase("/predict", """{"inputs": "a"}""")]
    [TestCase("/rerank", """{"query": "a", "texts": ["b"]}""")]
    [TestCase("/rerank", """{"query": "a", "documents": ["b"]}""")]
    [TestCase("/tokenize", """{"inputs": "a"}""")]
    [TestCase("/decode", """{"ids": [5]}""")]
    [TestCase("/v1/rerank", """{"query": "a", "documents": ["b"]}""")]
    [TestCase("/v1/fim/completions", """{"prompt": "a", "suffix": "b", "max_tokens": 1}""")]
    [TestCase("/completions", """{"prompt": "a", "model": "demo-codegen", "max_tokens": 1}""")]
    [TestCase("/", """{"inputs": "a"}""")]
    [TestCase("/models/demo-codegen", """{"inputs": "a", "parameters": {"max_new_tokens": 1}}""")]
    [TestCase("/models/demo-fill-mask", """{"inputs": "a <mask>"}""")]
    [TestCase("/models/demo-tag", """{"inputs": "a"}""")]
    [TestCase("/models/demo-language-id", """{"inputs": "a"}""")]
    public async Task A_field_of_any_type_is_answered_or_refused(string route, string body)
    {
        string entry = route.StartsWith("/models/", StringComparison.Ordinal) ? "/models/{**id}" : route;
        foreach (string field in RouteManifest.Routes[$"POST {entry}"].Fields.Keys)
        {
            foreach (string value in s_values)
            {
                string all = With(body, field.Split('.'), value);
                using var content = new StringContent(all, Encoding.UTF8, "application/json");
                using HttpResponseMessage answer = await Client.PostAsync(new Uri(route, UriKind.Relative), content);
                string text = await answer.Content.ReadAsStringAsync();
                Assert.That((int)answer.StatusCode, Is.AnyOf(200, 400, 404, 413, 422, 424), $"{all}: {text}");
                Assert.That(text, Does.Not.Contain("The server failed"), all);
            }
        }
    }

    // Values that are no .NET text go in as they are.
    private static string With(string body, string[] path, string value)
    {
        const string Place = "\"PLACE\"";
        JsonObject all = JsonNode.Parse(body)!.AsObject();
        if (path.Length == 1)
        {
            all[path[0]] = "PLACE";
        }
        else
        {
            if (all[path[0]] is not JsonObject)
                all[path[0]] = new JsonObject();
            all[path[0]]![path[1]] = "PLACE";
        }
        return all.ToJsonString().Replace(Place, value, StringComparison.Ordinal);
    }
}
