using System.Reflection;
using System.Text.Json.Nodes;
using ManagedTransformers.Server;

namespace ManagedTransformers.Bench;

/// <summary>The fields of all routes, from the server's own manifest, and values of every type to put into them.</summary>
internal static class LoadFields
{
    private static readonly string[] s_values =
    [
        "null", "true", "false", "0", "-1", "1", "2", "1.5", "1e308", "-1e308", "1e-40", "9000000000000000000", "-9223372036854775809", "1e400",
        "\"\"", "\"a\"", "\"\\ud800\"", "\"\\u0000\"", "\"NaN\"", "[]", "[1]", "[-1]", "[8191]", "[8192]", "[1e400]", "[\"a\"]", "[\"\\ud800\"]", "[\"\"]",
        "[[1, 2]]", "[[1, 3e38]]", "[[]]", "[null]", "[{}]",
        "{}", "{\"a\": 1}", "{\"text\": 5}", "{\"1\": 200}", "{\"99999\": 1}", "[\"a\", 1, \"b\"]", "[[\"top_k\", 1]]", "[true]", "{\"\": {}}",
    ];

    private static readonly Dictionary<string, string> s_bodies = new()
    {
        ["/v1/completions"] = """{"prompt": "def f(", "max_tokens": 2}""",
        ["/v1/engines/any/completions"] = """{"prompt": "def f(", "max_tokens": 2}""",
        ["/v1/embeddings"] = """{"input": "a"}""", ["/completion"] = """{"prompt": "def f(", "n_predict": 2}""",
        ["/completions"] = """{"prompt": "a", "n_predict": 2}""",
        ["/infill"] = """{"input_prefix": "def f(", "input_suffix": "\n", "n_predict": 2}""", ["/tokenize"] = """{"content": "a"}""",
        ["/detokenize"] = """{"tokens": [5]}""", ["/embedding"] = """{"content": "a"}""", ["/embeddings"] = """{"input": "a"}""",
        ["/v1/rerank"] = """{"query": "a", "documents": ["b"]}""",
        ["/v2/rerank"] = """{"query": "a", "documents": ["b"]}""", ["/rerank"] = """{"query": "a", "texts": ["b"]}""",
        ["/embed"] = """{"inputs": "a"}""", ["/embed_all"] = """{"inputs": "a"}""", ["/predict"] = """{"inputs": "a"}""", ["/decode"] = """{"ids": [5]}""",
        ["/similarity"] = """{"inputs": {"source_sentence": "a", "sentences": ["b"]}}""", ["/"] = """{"inputs": "a"}""",
        ["/models/demo-codegen"] = """{"inputs": "a", "parameters": {"max_new_tokens": 2}}""", ["/models/demo-fill-mask"] = """{"inputs": "a <mask>"}""",
        ["/models/demo-tag"] = """{"inputs": "a"}""", ["/models/demo-language-id"] = """{"inputs": "a"}""",
        ["/models/demo-codegen/v1/completions"] = """{"prompt": "a", "max_tokens": 2}""",
    };

    private static readonly Dictionary<string, string[]> s_fields = s_bodies.Keys.ToDictionary(route => route, route => FieldsOf(EntryOf(route)));

    /// <summary>A route, and a body that is right but for one or two fields.</summary>
    public static (string Route, string Body) Some(Random random)
    {
        string route = s_bodies.Keys.ElementAt(random.Next(s_bodies.Count)), body = s_bodies[route];
        for (int i = 1 + random.Next(2); i > 0; i--)
            body = With(body, s_fields[route][random.Next(s_fields[route].Length)].Split('.'), i, random);
        for (int i = 1; i <= 2; i++)
            body = body.Replace($"\"PLACE{i}\"", s_values[random.Next(s_values.Length)], StringComparison.Ordinal);
        return (route, body);
    }

    // Values that are no .NET text go in as they are.
    private static string With(string body, string[] path, int place, Random random)
    {
        JsonObject all = JsonNode.Parse(body)!.AsObject();
        JsonNode value = JsonValue.Create($"PLACE{place}");
        if (path.Length == 1)
            all[path[0]] = value;
        else if (all[path[0]] is JsonObject inside)
            inside[path[1]] = value;
        else
            all[path[0]] = random.Next(2) == 0 ? new JsonObject { [path[1]] = value } : new JsonArray(new JsonObject { [path[1]] = value });
        return all.ToJsonString();
    }

    private static string EntryOf(string route) => route switch
    {
        "/v1/engines/any/completions" => "/v1/engines/{engine}/completions",
        "/models/demo-codegen/v1/completions" => "/models/{name}/v1/completions",
        _ when route.StartsWith("/models/", StringComparison.Ordinal) => "/models/{**id}",
        _ => route,
    };

    private static string[] FieldsOf(string pattern)
    {
        Assembly server = typeof(ServerOptions).Assembly;
        var routes = new Dictionary<string, JsonNode>();
        foreach (string name in server.GetManifestResourceNames().Where(one => one.StartsWith("manifest/", StringComparison.Ordinal)))
        {
            using Stream file = server.GetManifestResourceStream(name)!;
            foreach ((string route, JsonNode? entry) in JsonNode.Parse(file)!.AsObject())
                routes.Add(route, entry!);
        }
        var fields = new List<string>();
        for (string? key = $"POST {pattern}"; key is not null; key = routes[key]["like"]?.GetValue<string>())
            fields.AddRange(routes[key]["fields"]?.AsObject().Select(one => one.Key) ?? []);
        return [.. fields.Append("unknown")];
    }
}
