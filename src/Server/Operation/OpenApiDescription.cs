namespace ManagedTransformers.Server;

/// <summary>GET /openapi.json: the manifest's routes and fields as OpenAPI 3.1 has them. Fields that are refused are not in it.</summary>
internal static class OpenApiDescription
{
    /// <param name="writer">Where to write.</param>
    /// <param name="requested">The path of the request for it.</param>
    public static void Write(Utf8JsonWriter writer, string requested)
    {
        writer.WriteStartObject();
        writer.WriteString("openapi", "3.1.0");
        writer.WriteStartObject("info");
        writer.WriteString("title", "ManagedTransformers");
        writer.WriteString("version", typeof(OpenApiDescription).Assembly.GetName().Version!.ToString(3));
        writer.WriteEndObject();
        // An app may have the routes in a group: what stands before this one's path stands before all.
        string before = requested[..^"/openapi.json".Length];
        writer.WriteStartArray("servers");
        writer.WriteStartObject();
        writer.WriteString("url", before.Length == 0 ? "/" : before);
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteStartObject("paths");
        foreach (IGrouping<string, ApiRoute> path in ApiRoutes.All.GroupBy(route => route.Pattern.Replace("**", "", StringComparison.Ordinal)))
        {
            writer.WriteStartObject(path.Key);
            foreach (ApiRoute route in path)
                WriteOperation(writer, route, path.Key);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteStartObject("components");
        writer.WriteStartObject("securitySchemes");
        writer.WriteStartObject("key");
        writer.WriteString("type", "http");
        writer.WriteString("scheme", "bearer");
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteOperation(Utf8JsonWriter writer, ApiRoute route, string path)
    {
        RouteEntry entry = RouteManifest.Routes[route.Key];
        (string Name, FieldEntry Field)[] fields =
            [.. entry.Fields.Where(field => field.Value.Status != EntryStatus.Refused).Select(field => (field.Key, field.Value))];
        writer.WriteStartObject(route.Method == "GET" ? "get" : "post");
        if (entry.Note.Length > 0)
            writer.WriteString("description", entry.Note);
        writer.WriteStartArray("parameters");
        foreach (string part in path.Split('/').Where(part => part.StartsWith('{')))
            WriteParameter(writer, part.Trim('{', '}'), "path");
        foreach ((string name, _) in route.Method == "GET" ? fields : [])
            WriteParameter(writer, name, "query");
        writer.WriteEndArray();
        if (route.Method != "GET")
            WriteBody(writer, entry, fields);
        writer.WriteStartObject("responses");
        WriteResponse(writer, "200", "The answer; a stream of server-sent events where stream is true.");
        WriteResponse(writer, "default", "What is wrong, in the protocol's own form.");
        writer.WriteEndObject();
        if (!route.IsOpen)
        {
            writer.WriteStartArray("security");
            writer.WriteStartObject();
            writer.WriteEndObject();                    // a server without keys asks for none
            writer.WriteStartObject();
            writer.WriteStartArray("key");
            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private static void WriteParameter(Utf8JsonWriter writer, string name, string place)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("in", place);
        writer.WriteBoolean("required", place == "path");
        writer.WriteStartObject("schema");
        writer.WriteString("type", "string");
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteResponse(Utf8JsonWriter writer, string status, string description)
    {
        writer.WriteStartObject(status);
        writer.WriteString("description", description);
        writer.WriteEndObject();
    }

    private static void WriteBody(Utf8JsonWriter writer, RouteEntry entry, (string Name, FieldEntry Field)[] fields)
    {
        writer.WriteStartObject("requestBody");
        writer.WriteBoolean("required", true);
        writer.WriteStartObject("content");
        writer.WriteStartObject("application/json");
        if (entry.Body is JsonElement example)
        {
            writer.WritePropertyName("example");
            example.WriteTo(writer);
        }
        writer.WriteStartObject("schema");
        writer.WriteString("type", "object");
        WriteProperties(writer, "", fields);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    // Names with a dot are of an object in the body, or of the objects of a list.
    private static void WriteProperties(Utf8JsonWriter writer, string path, (string Name, FieldEntry Field)[] fields)
    {
        writer.WriteStartObject("properties");
        foreach ((string name, FieldEntry field) in fields.Where(field => field.Name.StartsWith(path, StringComparison.Ordinal)))
        {
            string own = name[path.Length..];
            if (own.Contains('.'))
                continue;
            writer.WriteStartObject(own);
            if (field.Note.Length > 0)
                writer.WriteString("description", field.Note);
            string inner = $"{name}.";
            bool hasInner = fields.Any(one => one.Name.StartsWith(inner, StringComparison.Ordinal));
            WriteType(writer, field.Type, hasInner ? () => WriteProperties(writer, inner, fields) : null);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    // "string or array of string": the types, and what the elements of a list are.
    private static void WriteType(Utf8JsonWriter writer, string type, Action? properties)
    {
        if (type.Length == 0)
            return;
        string[] kinds = type.Split(" or ");
        writer.WriteStartArray("type");
        foreach (string kind in kinds)
            writer.WriteStringValue(kind.Split(' ')[0]);
        writer.WriteEndArray();
        if (properties is not null && kinds.Contains("object"))
            properties();
        if (Array.Find(kinds, kind => kind.StartsWith("array", StringComparison.Ordinal)) is not string array)
            return;
        bool ofObjects = properties is not null && !kinds.Contains("object");
        writer.WriteStartObject("items");
        if (array.Contains(' '))
            writer.WriteString("type", array.Split(' ')[^1]);
        if (ofObjects)
            properties!();
        writer.WriteEndObject();
    }
}
