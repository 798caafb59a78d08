using Microsoft.Extensions.Configuration;

namespace ManagedTransformers.Extensions.AI;

/// <summary>The keys of a section, each to be read once; what nobody read is unknown.</summary>
internal sealed class ConfigurationKeys(IConfiguration section, List<string> errors)
{
    private readonly List<string> _known = [];

    public string PathOf(string key) => section is IConfigurationSection { Path: string path } ? ConfigurationPath.Combine(path, key) : key;

    public IConfigurationSection? Section(string key)
    {
        _known.Add(key);
        IConfigurationSection child = section.GetSection(key);
        return child.Exists() ? child : null;
    }

    /// <summary>A section in this one; null: it is not there.</summary>
    public T? Nested<T>(string key, Func<ConfigurationKeys, T> read) where T : class
    {
        if (Section(key) is not IConfigurationSection one)
            return null;
        var inner = new ConfigurationKeys(one, errors);
        T value = read(inner);
        inner.RefuseOthers();
        return value;
    }

    public string? Text(string key)
    {
        if (Section(key) is { Value: null } inner)
            errors.Add($"{inner.Path} is a section; a text is needed.");
        return section.GetSection(key).Value;
    }

    /// <summary>A text that has a character at least.</summary>
    public string? Name(string key)
    {
        string? text = Text(key);
        if (text is { Length: 0 })
            errors.Add($"{PathOf(key)} is empty; a name is needed, or no such key.");
        return text;
    }

    /// <summary>Names that are the configuration's own, each with a text.</summary>
    public Dictionary<string, string> Texts(string key)
    {
        if (Section(key) is not IConfigurationSection all)
            return [];
        if (all.Value is string value)
            errors.Add($"{all.Path} is {Shown(value)}; a section is needed, with a text per name.");
        var inner = new ConfigurationKeys(all, errors);
        return all.GetChildren().ToDictionary(one => one.Key, one => inner.Name(one.Key) ?? "");
    }

    public bool? Flag(string key) => Parse<bool>(key, (string text, out bool value) => bool.TryParse(text, out value), "true or false");

    /// <summary>One text, or a list of them.</summary>
    public IReadOnlyList<string>? TextList(string key)
    {
        if (Section(key) is not IConfigurationSection { Value: null } list)
            return Name(key) is string one ? [one] : null;
        var elements = new ConfigurationKeys(list, errors);
        return [.. list.GetChildren().Select(child => elements.Name(child.Key)).OfType<string>()];
    }

    /// <summary>A time above 0, such as 00:01:30. A number alone, which TimeSpan takes for days, is none.</summary>
    public TimeSpan? Time(string key) => Parse<TimeSpan>(key, (string text, out TimeSpan value) =>
            TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out value) && value > TimeSpan.Zero && text.Contains(':'),
        "a time such as 00:01:30");

    /// <summary>A whole number of bytes, with a lower bound.</summary>
    public long? Bytes(string key, long least) => Parse<long>(key,
        (string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least,
        $"a whole number from {least} on");

    public int? Count(string key, int least = 1) => Parse<int>(key,
        (string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least,
        $"a whole number from {least} on");

    public T? Enum<T>(string key) where T : struct, Enum => Parse<T>(key, TryName, $"one of {string.Join(", ", System.Enum.GetNames<T>())}");

    /// <summary>One value, or a list of them.</summary>
    public IReadOnlyList<T>? Enums<T>(string key) where T : struct, Enum
    {
        if (Section(key) is not IConfigurationSection { Value: null } list)
            return Enum<T>(key) is T one ? [one] : null;
        var elements = new ConfigurationKeys(list, errors);
        T?[] values = [.. list.GetChildren().Select(child => elements.Enum<T>(child.Key))];
        return [.. values.OfType<T>()];
    }

    public void RefuseOthers()
    {
        if (section is IConfigurationSection { Value: string value } own)
            errors.Add($"{own.Path} is {Shown(value)}; a section is needed, with {string.Join(", ", _known.Distinct())}.");
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (!_known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                errors.Add($"{child.Path} is no option; there are {string.Join(", ", _known.Distinct())}.");
        }
    }

    public static string Shown(string? value) => value is null ? "missing" : $"\"{value}\"";

    // A name alone: Enum.TryParse also takes numbers, and several names, whose values it combines to another one.
    private static bool TryName<T>(string text, out T value) where T : struct, Enum
    {
        value = default;
        return System.Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase) && System.Enum.TryParse(text, ignoreCase: true, out value);
    }

    private T? Parse<T>(string key, TryParse<T> parse, string needed) where T : struct
    {
        if (Section(key) is not IConfigurationSection one)
            return null;
        if (one.Value is string text && parse(text, out T value))
            return value;
        errors.Add($"{one.Path} is {(one.Value is null ? "a section" : Shown(one.Value))}; {needed} is needed.");
        return null;
    }

    private delegate bool TryParse<T>(string text, out T value);
}
