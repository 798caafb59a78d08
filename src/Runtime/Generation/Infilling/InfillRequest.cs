namespace ManagedTransformers;

/// <summary>A file with a gap, or with several, and what else is known: what <see cref="TextGenerator.InfillSequences"/> and
/// <see cref="GenerationSession.Infill"/> fill.</summary>
/// <remarks>Names and files become the tokens that the model was trained with; where it has none for files, they are text before the prefix. What stands in
/// a text is text: <c>&lt;fim_suffix></c> in a file is no token.</remarks>
/// <example><code>
/// new InfillRequest("area = ", "\nprint(area)\n") { Repository = "shapes", Path = "main.py", Files = [("circle.py", circle)] }
/// </code></example>
public sealed record InfillRequest
{
    /// <summary>One gap.</summary>
    /// <param name="prefix">What stands before it.</param>
    /// <param name="suffix">What stands after it.</param>
    public InfillRequest(string prefix, string suffix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(suffix);
        Parts = [prefix, suffix];
    }

    /// <summary>Several gaps.</summary>
    /// <param name="parts">The texts around them, at least two.</param>
    /// <exception cref="ArgumentException">There are fewer than two texts.</exception>
    public InfillRequest(IReadOnlyList<string> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (parts.Count < 2)
            throw new ArgumentException($"There are {parts.Count} texts; at least two are needed, with a gap between them.", nameof(parts));
        foreach (string part in parts)
            ArgumentNullException.ThrowIfNull(part, nameof(parts));
        Parts = parts;
    }

    /// <summary>The texts around the gaps, one more than there are gaps.</summary>
    public IReadOnlyList<string> Parts { get; }

    /// <summary>Further files of the repository, path and text of each; the nearest last. Where there is no room for all and
    /// <see cref="GenerationOptions.TruncatePrompt"/> is set, the first ones are left out.</summary>
    /// <exception cref="ArgumentException">A path is empty or has a line break.</exception>
    public IReadOnlyList<(string Path, string Text)> Files
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            foreach ((string path, string text) in value)
            {
                RequireName(path, nameof(Files));
                ArgumentNullException.ThrowIfNull(text, nameof(value));
            }
            field = value;
        }
    } = [];

    /// <summary>The path of the file with the gap, within the repository; null: it is not said.</summary>
    /// <exception cref="ArgumentException">It is empty or has a line break.</exception>
    public string? Path { get; init => field = value is null ? null : RequireName(value, nameof(Path)); }

    /// <summary>The repository's name; null: it is not said.</summary>
    /// <exception cref="ArgumentException">It is empty or has a line break.</exception>
    public string? Repository { get; init => field = value is null ? null : RequireName(value, nameof(Repository)); }

    /// <summary>How many gaps there are.</summary>
    internal int Gaps => Parts.Count - 1;

    /// <summary>Is anything known but the texts?</summary>
    internal bool HasContext => Files.Count > 0 || Path is not null || Repository is not null;

    private static string RequireName(string name, string property)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length > 0 && !name.AsSpan().ContainsAny('\n', '\r')
            ? name
            : throw new ArgumentException($"{property} has the name \"{name.ReplaceLineEndings("\\n")}\"; a name of one line is needed.", nameof(name));
    }
}
