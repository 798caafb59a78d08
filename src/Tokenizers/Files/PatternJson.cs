namespace ManagedTransformers.Tokenizers;

/// <summary>Reads patterns and the properties that several components have.</summary>
internal static class PatternJson
{
    /// <summary>"pattern": <c>{"String": …}</c> or <c>{"Regex": …}</c>. Those of well-known tokenizers are matched by code of their own.</summary>
    public static TextPattern Read(JsonPart json)
    {
        if (json.Find("String") is JsonPart literal) return new LiteralPattern(literal.String());
        JsonPart regex = json.Get("Regex");
        string source = regex.String();
        if (source == Gpt2TextPattern.Source) return new Gpt2TextPattern();
        return LineAwarePattern.Of(source) ?? RunPattern.Of(source) ?? (TextPattern)new RegexPattern(source, regex.Path);
    }

    /// <summary>"behavior" of a split.</summary>
    public static SplitBehavior Behavior(JsonPart json) => Enum.GetNames<SplitBehavior>().Contains(json.String())
        ? Enum.Parse<SplitBehavior>(json.String())
        : throw json.Unexpected(string.Join(", ", Enum.GetNames<SplitBehavior>()));

    /// <summary>"length" of FixedLength, in characters.</summary>
    public static int Length(JsonPart fixedLength)
    {
        const int Default = 5;
        if (fixedLength.Find("length") is not JsonPart length) return Default;
        return length.Id() is > 0 and int value ? value : throw length.Unexpected("a number of characters, 1 or more");
    }

    /// <summary>"replacement" of Metaspace.</summary>
    public static char Mark(JsonPart metaspace) => metaspace.Find("replacement") is JsonPart mark ? Character(mark) : '\u2581';

    /// <summary>"prepend_scheme" of Metaspace, or "add_prefix_space" of old files.</summary>
    public static PrependScheme Scheme(JsonPart metaspace)
    {
        if (metaspace.Find("prepend_scheme") is not JsonPart scheme)
            return metaspace.Find("add_prefix_space").Or(true) ? PrependScheme.Always : PrependScheme.Never;
        return scheme.String() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw scheme.Unexpected("\"always\", \"first\" or \"never\""),
        };
    }

    /// <summary>One character.</summary>
    public static char Character(JsonPart json) => json.String() is [char c] ? c : throw json.Unexpected("one character below U+10000");
}
