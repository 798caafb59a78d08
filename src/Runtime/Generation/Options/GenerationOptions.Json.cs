namespace ManagedTransformers;

/// <content>Options from JSON, under transformers' names.</content>
public sealed partial record GenerationOptions
{
    private const int MostShown = 120;

    private static readonly Dictionary<string, GenerationOption> Keys = GenerationOption.All.ToDictionary(option => option.Name);

    /// <summary>Reads a file of options, such as generation_config.json; max_time is in seconds, a null is as if the key were not there. NaN, Infinity and
    /// −Infinity may stand as Python writes them where an option is a number.</summary>
    /// <param name="json">The file's bytes, UTF-8.</param>
    /// <param name="source">What to call the file in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">The JSON is broken, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(ReadOnlyMemory<byte> json, string source = GenerationDefaults.File, bool strict = false)
    {
        using JsonDocument document = SmallJson.Parse(source, json, JsonValueKind.Object);
        return FromJson(document.RootElement, source, strict);
    }

    /// <summary>Reads an object of options that is part of something else, such as a request.</summary>
    /// <param name="json">The object.</param>
    /// <param name="source">What to call it in errors.</param>
    /// <param name="strict">Refuse keys that this record does not have; otherwise they are left alone.</param>
    /// <exception cref="ConfigException">It is no object, a value is impossible or, where that is asked for, a key is unknown.</exception>
    public static GenerationOptions FromJson(JsonElement json, string source, bool strict = true)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new ConfigException($"{source} is a JSON {json.ValueKind}; an object of options is needed.");
        try
        {
            return json.EnumerateObject().Aggregate(Default, (options, property) => options.Read(property.Name, property.Value, source, strict));
        }
        catch (InvalidOperationException e)
        {
            // What the parser lets through and GetString refuses.
            throw new ConfigException($"{source} has a text with half a surrogate pair, which is no text: {e.Message}", e);
        }
    }

    /// <summary>These options with one more value.</summary>
    internal GenerationOptions Read(string key, JsonElement value, string source, bool strict)
    {
        if (!Keys.TryGetValue(key, out GenerationOption? option))
            return strict ? throw new ConfigException($"{source}: there is no option {Shown(key)}; the nearest is {Nearest(key)}.") : this;
        if (value.ValueKind == JsonValueKind.Null)
            return this;
        try
        {
            return option.Read(this, value);
        }
        catch (FormatException e)
        {
            throw new ConfigException($"{source}: {key} is {Shown(PythonNumbers.Unquote(value.GetRawText()))}; {e.Message}", e);
        }
    }

    private static string Shown(string text) => text.Length <= MostShown ? text : $"{text.AsSpan(0, MostShown)}…";

    private static string Nearest(string key) => Keys.Keys.MinBy(known => NearestNames.Distance(known, key.Length <= MostShown ? key : key[..MostShown]))!;
}
