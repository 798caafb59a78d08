using System.Collections.Frozen;
using System.Reflection;

namespace ManagedTransformers.Server;

/// <summary>What becomes of a route or a field.</summary>
internal enum EntryStatus
{
    /// <summary>It does what its protocol says.</summary>
    Supported,

    /// <summary>It is another name of one that is supported.</summary>
    Aliased,

    /// <summary>It is answered with an error that says so, unless it asks for what happens anyway.</summary>
    Refused,

    /// <summary>It is taken, and changes nothing in the answer; the note says why.</summary>
    ByDesign,
}

/// <summary>What the manifest says of a field.</summary>
internal sealed record FieldEntry
{
    public required EntryStatus Status { get; init; }

    /// <summary>What it may be, in JSON's words: <c>string or array of string</c>; empty: anything.</summary>
    public string Type { get; init => field = value ?? ""; } = "";

    /// <summary>Why.</summary>
    public string Note { get; init => field = value ?? ""; } = "";

    /// <summary>The test that says so.</summary>
    public string Test { get; init => field = value ?? ""; } = "";

    /// <summary>Of a refused field: values that ask for what happens anyway.</summary>
    public IReadOnlyList<JsonElement> Neutral { get; init => field = value ?? []; } = [];

    /// <summary>Of a field that is refused or taken by design: a value to try it with.</summary>
    public JsonElement? Sample { get; init; }

    public bool IsNeutral(JsonElement value)
    {
        try
        {
            return Neutral.Any(one => JsonElement.DeepEquals(one, value));
        }
        catch (InvalidOperationException)               // half a surrogate pair, which is equal to no text
        {
            return false;
        }
    }
}

/// <summary>What the manifest says of a route.</summary>
internal sealed record RouteEntry
{
    public required EntryStatus Status { get; init; }
    public string Note { get; init => field = value ?? ""; } = "";
    public string Test { get; init => field = value ?? ""; } = "";

    /// <summary>The route whose fields it has too.</summary>
    public string? Like { get; init; }

    /// <summary>A body that is answered, to try fields with; null: it has none.</summary>
    public JsonElement? Body { get; init; }

    // What reads JSON sets it to null where it is not said.
    public IReadOnlyDictionary<string, FieldEntry> Fields { get; init => field = value ?? FrozenDictionary<string, FieldEntry>.Empty; } =
        FrozenDictionary<string, FieldEntry>.Empty;
}

/// <summary>All routes and their fields: what is supported, aliased, refused and taken by design. One file per protocol.</summary>
internal static class RouteManifest
{
    private static readonly Lazy<IReadOnlyDictionary<string, RouteEntry>> s_routes = new(Load);

    /// <summary>By method and pattern, such as <c>POST /v1/completions</c>.</summary>
    public static IReadOnlyDictionary<string, RouteEntry> Routes => s_routes.Value;

    private static Dictionary<string, RouteEntry> Load()
    {
        var routes = new Dictionary<string, RouteEntry>(StringComparer.Ordinal);
        Assembly assembly = typeof(RouteManifest).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(one => one.StartsWith("manifest/", StringComparison.Ordinal)))
        {
            using Stream file = assembly.GetManifestResourceStream(name)!;
            foreach ((string route, RouteEntry entry) in JsonSerializer.Deserialize(file, ManifestJson.Default.DictionaryStringRouteEntry)!)
                routes.Add(route, entry);
        }
        return routes.ToDictionary(one => one.Key, one => Complete(one.Value, routes), StringComparer.Ordinal);
    }

    /// <summary>An entry with the fields of the route that it is like, and of the one that this is like.</summary>
    internal static RouteEntry Complete(RouteEntry entry, IReadOnlyDictionary<string, RouteEntry> routes)
    {
        if (entry.Like is null)
            return entry;
        RouteEntry like = Complete(routes[entry.Like], routes);
        return entry with { Fields = Merge(like.Fields, entry.Fields), Body = entry.Body ?? like.Body };
    }

    private static Dictionary<string, FieldEntry> Merge(IReadOnlyDictionary<string, FieldEntry> like, IReadOnlyDictionary<string, FieldEntry> own)
    {
        var fields = new Dictionary<string, FieldEntry>(like, StringComparer.Ordinal);
        foreach ((string name, FieldEntry field) in own)
            fields[name] = field;
        return fields;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Dictionary<string, RouteEntry>))]
internal sealed partial class ManifestJson : JsonSerializerContext;
