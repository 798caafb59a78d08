using static ManagedTransformers.Server.Tests.DemoServer;

namespace ManagedTransformers.Server.Tests;

/// <summary>The server's description for tools: what it says is what the routes do.</summary>
public sealed class OpenApiTests
{
    [Test]
    public async Task The_description_has_every_route_and_field()
    {
        JsonElement description = JsonElement.Parse(await Client.GetStringAsync(new Uri("/openapi.json", UriKind.Relative)));
        Assert.That((description.GetProperty("openapi").GetString(), description.GetProperty("servers")[0].GetProperty("url").GetString()),
            Is.EqualTo(("3.1.0", "/")));
        JsonElement paths = description.GetProperty("paths");
        foreach ((string key, RouteEntry entry) in RouteManifest.Routes.Where(one => !PageRoutes.All.Any(page => page.Key == one.Key)))
        {
            string[] words = key.Split(' ');
            JsonElement operation = paths.GetProperty(words[1].Replace("**", "", StringComparison.Ordinal)).GetProperty(words[0].ToLowerInvariant());
            int inPath = words[1].Count(letter => letter == '{');
            string[] fields = [.. entry.Fields.Where(field => field.Value.Status != EntryStatus.Refused).Select(field => field.Key)];
            Assert.That(operation.GetProperty("parameters").GetArrayLength(), Is.EqualTo(inPath + (words[0] == "GET" ? fields.Length : 0)), key);
            if (words[0] == "POST")
            {
                JsonElement body = operation.GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("schema");
                Assert.That(NamesOf(body, ""), Is.EquivalentTo(fields), key);
            }
        }
        JsonElement parameters = paths.GetProperty("/models/{id}").GetProperty("post").GetProperty("requestBody").GetProperty("content")
            .GetProperty("application/json").GetProperty("schema").GetProperty("properties").GetProperty("parameters");
        JsonElement stop = parameters.GetProperty("properties").GetProperty("stop");
        Assert.That((stop.GetProperty("type").GetRawText(), stop.GetProperty("items").GetRawText()),
            Is.EqualTo(("""["string","array"]""", """{"type":"string"}""")));
    }

    /// <summary>A value of a type that the manifest does not name is refused, in every field that names its types.</summary>
    [Test]
    public async Task What_is_of_another_type_is_refused()
    {
        Dictionary<string, string> values = new() { ["object"] = "{}", ["array"] = "[]", ["string"] = "\"zz\"", ["boolean"] = "true", ["number"] = "1.5" };
        int tried = 0;
        foreach ((string key, RouteEntry entry) in RouteManifest.Routes.Where(one => one.Key.StartsWith("POST", StringComparison.Ordinal)
            && one.Value.Body is not null && !one.Key.Contains('{')))
        {
            foreach ((string name, FieldEntry field) in entry.Fields.Where(one => one.Value.Type.Length > 0 && !one.Key.Contains('.')))
            {
                foreach ((string type, string value) in values.Where(one => !field.Type.Contains(one.Key, StringComparison.Ordinal)))
                {
                    Dictionary<string, JsonElement> body = entry.Body!.Value.EnumerateObject().ToDictionary(one => one.Name, one => one.Value);
                    body[name] = JsonElement.Parse(value);
                    string all = $"{{{string.Join(",", body.Select(one => $"\"{one.Key}\":{one.Value.GetRawText()}"))}}}";
                    using var content = new StringContent(all, Encoding.UTF8, "application/json");
                    using HttpResponseMessage answer = await Client.PostAsync(new Uri(key.Split(' ')[1], UriKind.Relative), content);
                    Assert.That((int)answer.StatusCode, Is.InRange(400, 499), $"{key} {name} is {field.Type}: {all}");
                    tried++;
                }
            }
        }
        Assert.That(tried, Is.GreaterThan(300));
    }

    private static IEnumerable<string> NamesOf(JsonElement schema, string path)
    {
        JsonElement at = schema.TryGetProperty("items", out JsonElement items) && items.TryGetProperty("properties", out _) ? items : schema;
        if (!at.TryGetProperty("properties", out JsonElement properties))
            yield break;
        foreach (JsonProperty one in properties.EnumerateObject())
        {
            yield return path + one.Name;
            foreach (string inner in NamesOf(one.Value, $"{path}{one.Name}."))
                yield return inner;
        }
    }
}
