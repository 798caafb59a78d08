namespace ManagedTransformers.Server;

/// <summary>The fields of a request's object. Each is read by its name; what is left at the end is refused, so that nothing is accepted and ignored.</summary>
/// <param name="json">The object.</param>
/// <param name="known">What the manifest says of the fields.</param>
/// <param name="path">Where the object stands in the body, such as <c>parameters.</c>; empty: it is the body.</param>
internal sealed class RequestFields(JsonElement json, IReadOnlyDictionary<string, FieldEntry> known, string path = "")
{
    private readonly HashSet<string> _read = [];

    /// <summary>Is the field there, and not null?</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>The field; null: it is not there, or null.</summary>
    public JsonElement? Find(string name)
    {
        if (!known.TryGetValue(path + name, out FieldEntry? entry) || entry.Status is not (EntryStatus.Supported or EntryStatus.Aliased))
            throw new InvalidOperationException($"The manifest does not have the field {path}{name} as supported or aliased.");
        _read.Add(name);
        return json.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>The first of some names that is there.</summary>
    /// <exception cref="ApiException">Two of them are there, and differ.</exception>
    public string Alias(params ReadOnlySpan<string> names)
    {
        string? found = null;
        foreach (string name in names)
        {
            if (!Has(name))
                continue;
            if (found is not null && json.GetProperty(found).GetRawText() != json.GetProperty(name).GetRawText())
                throw ApiException.Of(path + name, $"Fields '{path}{found}' and '{path}{name}' mean the same and differ; give one of them.");
            found ??= name;
        }
        return found ?? names[0];
    }

    public string? Text(string name) => Find(name) is JsonElement value ? Text(value, path + name) : null;

    public bool? Flag(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        JsonElement other => throw WrongType(path + name, "boolean", other),
    };

    public int? Integer(string name, int least = int.MinValue, int most = int.MaxValue) => (int?)Long(name, least, most);

    public long? Long(string name, long least = long.MinValue, long most = long.MaxValue)
    {
        if (Find(name) is not JsonElement value)
            return null;
        long number = Whole(value, path + name);
        return number >= least && number <= most ? number : throw OutOfRange(path + name, least, most, value.GetRawText());
    }

    public double? Number(string name, double least = double.MinValue, double most = double.MaxValue)
    {
        if (Find(name) is not JsonElement value)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number))
            throw WrongType(path + name, "number", value);
        return number >= least && number <= most ? number : throw OutOfRange(path + name, least, most, value.GetRawText());
    }

    /// <summary>A text, or a list of texts.</summary>
    public IReadOnlyList<string>? Texts(string name) => Find(name) is not JsonElement value ? null : Texts(value, path + name);

    /// <summary>A list of integers.</summary>
    public IReadOnlyList<int>? Integers(string name) => Find(name) is JsonElement value ? Integers(value, path + name) : null;

    /// <summary>An object in this one; null: it is not there.</summary>
    public RequestFields? Nested(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new RequestFields(value, known, $"{path}{name}."),
        JsonElement other => throw WrongType(path + name, "object", other),
    };

    /// <summary>An object in a list.</summary>
    public RequestFields Element(JsonElement value, string name) => value.ValueKind == JsonValueKind.Object
        ? new RequestFields(value, known, $"{path}{name}.") : throw WrongType(path + name, "array of object", value);

    /// <summary>The same object, read as that of another route.</summary>
    public RequestFields As(string route) => new(json, RouteManifest.Routes[route].Fields, path);

    /// <summary>Refuses what was not read.</summary>
    /// <exception cref="ApiException">A field is unknown, or not supported.</exception>
    public void RefuseOthers()
    {
        foreach (JsonProperty property in json.EnumerateObject())
        {
            string name = path + property.Name;
            if (property.Value.ValueKind == JsonValueKind.Null || _read.Contains(property.Name))
                continue;
            if (!known.TryGetValue(name, out FieldEntry? entry))
                throw ApiException.Of(name, $"Field '{Shown(name)}' is not known here{Nearest(name)}. Leave it out.");
            if (entry.Status == EntryStatus.ByDesign || entry.IsNeutral(property.Value))
                continue;
            throw ApiException.Of(name, entry.Status == EntryStatus.Refused
                ? $"Field '{name}' is not supported: {entry.Note}" : $"Field '{name}' does not go together with the others of this request.");
        }
    }

    /// <summary>The text of a JSON string.</summary>
    public static string Text(JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw WrongType(name, "string", value);
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Of(name, $"Field '{name}' has half a surrogate pair, which is no text.");
        }
    }

    public static IReadOnlyList<string> Texts(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.String => [Text(value, name)],
        JsonValueKind.Array => [.. value.EnumerateArray().Select(one => Text(one, name))],
        _ => throw WrongType(name, "string or array of string", value),
    };

    public static IReadOnlyList<int> Integers(JsonElement value, string name) => value.ValueKind == JsonValueKind.Array
        ? [.. value.EnumerateArray().Select(one => (int)Math.Clamp(Whole(one, name), int.MinValue, int.MaxValue))]
        : throw WrongType(name, "array of integer", value);

    // 1.0 is an integer, as it is in JSON Schema.
    public static long Whole(JsonElement value, string name)
    {
        if (value.ValueKind == JsonValueKind.Number)
        {
            if (value.TryGetInt64(out long number))
                return number;
            if (value.TryGetDouble(out double real) && real == Math.Floor(real))
                return (long)Math.Clamp(real, long.MinValue, 9.2e18);
        }
        throw WrongType(name, "integer", value);
    }

    public static ApiException WrongType(string name, string needed, JsonElement found) =>
        ApiException.Of(name, $"Field '{name}': type must be {needed}, but is {NameOf(found)}");

    private static ApiException OutOfRange(string name, IFormattable least, IFormattable most, string found)
    {
        bool above = most is long.MaxValue or int.MaxValue or double.MaxValue;
        string range = above ? $"{Shown(least)} or more" : $"between {Shown(least)} <= value <= {Shown(most)}";
        return ApiException.Of(name, $"Field '{name}': Value must be {range}, but got {Shown(found)}");
    }

    private static string NameOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number => "number",
        JsonValueKind.String => "string",
        JsonValueKind.Array => "array",
        JsonValueKind.Object => "object",
        _ => "null",
    };

    private string Nearest(string name)
    {
        string[] here = [.. known.Keys.Where(key => key.StartsWith(path, StringComparison.Ordinal))];
        return here.Length == 0 || name.Length > 60 ? "" : $"; the nearest is '{here.MinBy(one => NearestNames.Distance(one, name))}'";
    }

    private static string Shown(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Shown(string text) => text.Length <= 60 ? text : $"{text.AsSpan(0, 60)}…";
}
