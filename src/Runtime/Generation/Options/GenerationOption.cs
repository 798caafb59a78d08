namespace ManagedTransformers;

/// <summary>One option of <see cref="GenerationOptions"/>: its name, what it does, and how it is read from text. For command lines, forms and documents that
/// list the options; <see cref="All"/> has every one that a text can give.</summary>
/// <example><code>
/// GenerationOption temperature = GenerationOption.All.Single(option => option.Name == "temperature");
/// GenerationOptions options = temperature.Parse(GenerationOptions.Default, "0.8");
/// </code></example>
public abstract class GenerationOption
{
    private protected GenerationOption(string name, string property, GenerationOptionGroup group, string? valueName, string help) =>
        (Name, Property, Group, ValueName, Help) = (name, property, group, valueName, help);

    /// <summary>All options that a text or a JSON value can give, group by group. Those that are objects of the caller's (AssistantModel,
    /// LogitsProcessors, StoppingCriteria) are not among them.</summary>
    public static IReadOnlyList<GenerationOption> All => GenerationOptionTable.All;

    /// <summary>Its name in JSON, transformers' where there it is too: <c>top_k</c>.</summary>
    public string Name { get; }

    /// <summary>Its property of <see cref="GenerationOptions"/>.</summary>
    public string Property { get; }

    /// <summary>What it is about.</summary>
    public GenerationOptionGroup Group { get; }

    /// <summary>What a value is, for help texts: <c>N</c>. Null: it is a switch, true or false.</summary>
    public string? ValueName { get; }

    /// <summary>What it does, in a sentence or two.</summary>
    public string Help { get; }

    /// <summary>What holds where nobody gives it, for help texts; empty: nothing does.</summary>
    public string Default { get; internal init; } = "";

    /// <summary>The paper or program that it comes from; empty where there is none.</summary>
    public string Source { get; internal init; } = "";

    /// <summary>Whether transformers' generate() has it, under the same name.</summary>
    public bool InTransformers { get; internal init; } = true;

    /// <summary>Whether it takes several values.</summary>
    public abstract bool Repeats { get; }

    /// <summary>The words that it takes; empty: it takes other values.</summary>
    public abstract IReadOnlyList<string> Choices { get; }

    /// <summary>Whether options give it a value.</summary>
    public abstract bool IsGiven(GenerationOptions options);

    /// <summary>Options with a value from text.</summary>
    /// <param name="options">The options that stay as they are otherwise.</param>
    /// <param name="texts">The value, or several where it <see cref="Repeats"/>: numbers with a decimal point, <c>true</c> or <c>false</c>, ids as
    /// <c>12,7</c>, a sequence and its bias as <c>12,7=-2.5</c>.</param>
    /// <exception cref="FormatException">A text is no such value, or the value is out of range; the message says what is needed.</exception>
    public abstract GenerationOptions Parse(GenerationOptions options, params IReadOnlyList<string> texts);

    /// <summary>Options with a value from JSON.</summary>
    /// <exception cref="FormatException">It is no such value, or out of range; the message says what is needed.</exception>
    internal abstract GenerationOptions Read(GenerationOptions options, JsonElement value);

    /// <summary><paramref name="to"/>, with the value that <paramref name="from"/> has, if it has one.</summary>
    internal abstract GenerationOptions Copy(GenerationOptions from, GenerationOptions to);

    /// <summary>Its value where it changes something; null where it has none, or one that changes nothing.</summary>
    internal abstract object? Effect(GenerationOptions options);

    /// <summary>The tokens that its value names.</summary>
    internal abstract IEnumerable<int> TokensIn(GenerationOptions options);
}

/// <summary>What options of generation are about.</summary>
public enum GenerationOptionGroup
{
    /// <summary>Limits, end tokens, where the text is cut.</summary>
    Length,

    /// <summary>Drawing at random.</summary>
    Sampling,

    /// <summary>What makes tokens more or less probable.</summary>
    Scores,

    /// <summary>Beam search.</summary>
    Beams,

    /// <summary>Several texts for one prompt.</summary>
    Several,

    /// <summary>Speculative decoding.</summary>
    Drafts,

    /// <summary>How keys and values are kept.</summary>
    Cache,

    /// <summary>What is told beside the text.</summary>
    Report,
}

/// <summary>An option, with its type.</summary>
/// <typeparam name="T">The type of the property, which is null where nobody gives the option.</typeparam>
internal sealed class GenerationOption<T>(
    string name, string property, GenerationOptionGroup group, OptionKind<T> kind, Func<GenerationOptions, T> get,
    Func<GenerationOptions, T, GenerationOptions> set, string help)
    : GenerationOption(name, property, group, kind.ValueName, help)
{
    public OptionRange<T>? Range { get; init; }
    public Func<T, bool> IsNeutral { get; init; } = _ => false;
    public override bool Repeats => kind.Repeats;
    public override IReadOnlyList<string> Choices => kind.Choices;

    /// <summary>The value, if it is possible; for the property's init accessor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public T Require(T value) => value is null || Range is null || Range.Contains(value)
        ? value
        : throw new ArgumentOutOfRangeException(
            Property, string.Create(CultureInfo.InvariantCulture, $"{Property} is {value}; {Range.Needed}"));

    public override bool IsGiven(GenerationOptions options) => get(options) is not null;

    public override GenerationOptions Parse(GenerationOptions options, params IReadOnlyList<string> texts) => Set(options, kind.Parse(texts));

    internal override GenerationOptions Read(GenerationOptions options, JsonElement value) => Set(options, kind.Read(value));

    internal override GenerationOptions Copy(GenerationOptions from, GenerationOptions to) => get(from) is { } value ? set(to, value) : to;

    internal override object? Effect(GenerationOptions options) => get(options) is { } value && !IsNeutral(value) ? value : null;

    internal override IEnumerable<int> TokensIn(GenerationOptions options) => get(options) is { } value ? kind.TokensIn(value) : [];

    private GenerationOptions Set(GenerationOptions options, T value) =>
        Range is null || Range.Contains(value) ? set(options, value) : throw new FormatException(Range.Needed);
}

/// <summary>The values that an option can have.</summary>
/// <param name="Needed">What is needed, as the end of a message.</param>
/// <param name="Contains">Whether a value is one of them; NaN never is.</param>
internal sealed record OptionRange<T>(string Needed, Func<T, bool> Contains);
