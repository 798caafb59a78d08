namespace ManagedTransformers;

/// <summary>How values of one type are read. All readers throw <see cref="FormatException"/> with what is needed.</summary>
/// <typeparam name="T">The type, nullable as the property is.</typeparam>
/// <param name="ValueName">What a value is called in help texts; null: true or false.</param>
/// <param name="Read">From JSON.</param>
/// <param name="Parse">From text, as a command line has it.</param>
internal sealed record OptionKind<T>(string? ValueName, Func<JsonElement, T> Read, Func<IReadOnlyList<string>, T> Parse)
{
    /// <summary>Whether a command line may give several texts.</summary>
    public bool Repeats { get; init; }

    public IReadOnlyList<string> Choices { get; init; } = [];
    public Func<T, IEnumerable<int>> TokensIn { get; init; } = _ => [];
}

/// <summary>The kinds of values that options have.</summary>
internal static class OptionKind
{
    private const string NeededIds = "an id or a list of ids is needed.";
    private const string NeededInt = "a whole number of 32 bits is needed.";
    private const string NeededInt64 = "a whole number of 64 bits is needed.";
    private const double MostSeconds = 1e9;

    public static OptionKind<bool?> Switch { get; } = new(ValueName: null, value => Bool(value), texts => Bool(One(texts)));

    public static OptionKind<int?> Whole(string name = "N") => new(name, value => Int(value), texts => Int(One(texts)));

    public static OptionKind<int?> Token { get; } = Whole("ID") with { TokensIn = id => [id!.Value] };
    public static OptionKind<long?> Long { get; } = new("N", value => Int64(value), texts => Int64(One(texts)));

    public static OptionKind<double?> Number(string name) => new(name, value => Double(value), texts => Double(One(texts)));

    public static OptionKind<TimeSpan?> Seconds { get; } = new("SECONDS", value => Time(Double(value)), texts => Time(Double(One(texts))));

    public static OptionKind<IReadOnlyList<int>?> Ids { get; } = new("ID[,ID…]", Tokens, texts => [.. texts.SelectMany(Tokens)])
    {
        Repeats = true, TokensIn = ids => ids!,
    };

    /// <summary>Ids, a single one without brackets; an empty list is <c>none</c> in text, and may be null in JSON.</summary>
    public static OptionKind<IReadOnlyList<int>?> IdOrIds { get; } = Ids with
    {
        Read = value => value.ValueKind switch
        {
            JsonValueKind.Array => Tokens(value),
            JsonValueKind.Null => [],
            _ => [Id(value)],
        },
        Parse = texts => [.. texts.Where(text => text != "none").SelectMany(Tokens)],
    };

    public static OptionKind<IReadOnlyList<IReadOnlyList<int>>?> Sequences { get; } =
        new("ID[,ID…]", value => List(value, Tokens, "a list of lists of ids is needed."), texts => [.. texts.Select(Tokens)])
        {
            Repeats = true, TokensIn = sequences => sequences!.SelectMany(ids => ids),
        };

    public static OptionKind<IReadOnlyList<SequenceBias>?> Biases { get; } =
        new("ID[,ID…]=BIAS", value => List(value, Bias, "a list of [[ids], bias] is needed."), texts => [.. texts.Select(Bias)])
        {
            Repeats = true, TokensIn = biases => biases!.SelectMany(bias => bias.TokenIds ?? []),
        };

    public static OptionKind<IReadOnlyList<string>?> Texts(string name) => new(
        name,
        value => List(value, Text, "a list of strings is needed."),
        texts => texts.All(text => text.Length > 0) ? texts : throw Not("at least one character is needed."))
    {
        Repeats = true,
    };

    public static OptionKind<IReadOnlyList<string>?> TextOrTexts(string name) => Texts(name) with
    {
        Read = value => value.ValueKind == JsonValueKind.String ? [value.GetString()!] : List(value, Text, "a string or a list of strings is needed."),
    };

    public static OptionKind<EarlyStopping?> EarlyStopping { get; } = new(
        "true|false|never",
        value => value.ValueKind switch
        {
            JsonValueKind.True => ManagedTransformers.EarlyStopping.True,
            JsonValueKind.False => ManagedTransformers.EarlyStopping.False,
            JsonValueKind.String when value.ValueEquals("never"u8) => ManagedTransformers.EarlyStopping.Never,
            _ => throw Not("true, false or \"never\" is needed."),
        },
        texts => Enum.TryParse(One(texts), ignoreCase: true, out EarlyStopping word) ? word : throw Not("true, false or never is needed."))
    {
        Choices = ["true", "false", "never"],
    };

    /// <summary>A type of stored numbers; in JSON torch's names, as in config.json's torch_dtype.</summary>
    public static OptionKind<WeightType?> Stored { get; } = new(
        "f32|f16|bf16",
        value => (value.ValueKind == JsonValueKind.String ? value.GetString() : null) switch
        {
            "float32" => WeightType.F32,
            "float16" => WeightType.F16,
            "bfloat16" => WeightType.BF16,
            _ => throw Not("\"float32\", \"float16\" or \"bfloat16\" is needed."),
        },
        texts => One(texts).ToUpperInvariant() switch
        {
            "F32" => WeightType.F32,
            "F16" => WeightType.F16,
            "BF16" => WeightType.BF16,
            _ => throw Not("f32, f16 or bf16 is needed."),
        })
    {
        Choices = ["f32", "f16", "bf16"],
    };

    public static OptionKind<TruncationRecipe?> Recipe { get; } = new(
        string.Join('|', TruncationRecipe.Named.Keys),
        value => TruncationOf(value.ValueKind == JsonValueKind.String ? value.GetString()! : ""),
        texts => TruncationOf(One(texts)))
    {
        Choices = [.. TruncationRecipe.Named.Keys],
    };

    private static bool Bool(JsonElement value) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Not("true or false is needed.");

    private static bool Bool(string text) => bool.TryParse(text, out bool value) ? value : throw Not("true or false is needed.");

    private static int Int(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : throw Not(NeededInt);

    private static int Int(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) ? number : throw Not(NeededInt);

    private static long Int64(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : throw Not(NeededInt64);

    private static long Int64(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : throw Not(NeededInt64);

    // Python writes what is no finite number without quotes; such words arrive here as strings.
    private static double Double(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String when value.ValueEquals("NaN"u8) => double.NaN,
        JsonValueKind.String when value.ValueEquals("Infinity"u8) => double.PositiveInfinity,
        JsonValueKind.String when value.ValueEquals("-Infinity"u8) => double.NegativeInfinity,
        _ => throw Not("a number is needed."),
    };

    private static double Double(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw Not("a number is needed.");

    private static TimeSpan Time(double seconds) =>
        seconds is > 0 and < MostSeconds ? TimeSpan.FromSeconds(seconds) : throw Not("a number of seconds above 0 and below a billion is needed.");

    private static int Id(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id >= 0 ? id : throw Not(NeededIds);

    private static IReadOnlyList<int> Tokens(JsonElement value) => List(value, Id, "a list of ids is needed.");

    private static IReadOnlyList<int> Tokens(string text) => [.. text.Split(',').Select(Id)];

    private static int Id(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
        ? id
        : throw Not("token ids with commas between them are needed, such as 12,7.");

    private static SequenceBias Bias(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 2)
            throw Not("a list of [[ids], bias] is needed.");
        float bias = (float)Double(value[1]);
        return float.IsNaN(bias) ? throw Not("a number is needed as bias.") : new SequenceBias(Tokens(value[0]), bias);
    }

    private static SequenceBias Bias(string text)
    {
        int equals = text.LastIndexOf('=');
        return equals > 0 && float.TryParse(text.AsSpan(equals + 1), CultureInfo.InvariantCulture, out float bias) && !float.IsNaN(bias)
            ? new SequenceBias(Tokens(text[..equals]), bias)
            : throw Not("a sequence, an equals sign and a number are needed, such as 12,7=-2.5 (-Infinity forbids it).");
    }

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Not("a list of strings is needed.");

    private static TruncationRecipe TruncationOf(string name) => TruncationRecipe.Named.TryGetValue(name, out TruncationRecipe? recipe)
        ? recipe
        : throw Not($"one of {string.Join(", ", TruncationRecipe.Named.Keys)} is needed.");

    private static T[] List<T>(JsonElement value, Func<JsonElement, T> item, string needed) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(item)] : throw Not(needed);

    private static string One(IReadOnlyList<string> texts) => texts.Count == 1 ? texts[0] : throw Not("one value is needed.");

    private static FormatException Not(string needed) => new(needed);
}
