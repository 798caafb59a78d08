namespace ManagedTransformers.Hub;

/// <summary>A model of the Hugging Face hub at a revision: <c>org/name</c>, or <c>org/name@revision</c> as text.</summary>
public sealed record HubModelId
{
    /// <summary>The branch that is meant where none is named.</summary>
    public const string MainRevision = "main";

    private HubModelId(string name, string revision)
    {
        (Name, Revision) = (name, revision);
    }

    /// <summary>Organisation and name, such as <c>huggingface/CodeBERTa-small-v1</c>; a few old models have no organisation.</summary>
    public string Name { get; }

    /// <summary>A branch, a tag, or a whole commit hash.</summary>
    public string Revision { get; }

    /// <summary>Reads a name. It becomes part of paths and addresses, so nothing but what the hub allows is taken.</summary>
    /// <param name="name"><c>org/name</c> or <c>org/name@revision</c>.</param>
    /// <param name="revision">Branch, tag or commit, where the name does not say it; main when null.</param>
    /// <exception cref="FormatException">Name or revision cannot be one of the hub's, or there are two revisions.</exception>
    public static HubModelId Parse(string name, string? revision = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        string shown = Shown(name);
        int at = name.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            if (revision is not null && revision != name[(at + 1)..])
                throw new FormatException($"\"{shown}\" names one revision and \"{Shown(revision)}\" is another. Give one of them.");
            (name, revision) = (name[..at], name[(at + 1)..]);
        }
        if (HubNames.ProblemOfModel(name) is string problem)
            throw new FormatException($"\"{shown}\" is no model's name on the hub: {problem}. Names are as in huggingface/CodeBERTa-small-v1.");
        revision ??= MainRevision;
        if (HubNames.ProblemOfRevision(revision) is string wrong)
            throw new FormatException($"\"{Shown(revision)}\" is no revision: {wrong}. Give a branch, a tag or a whole commit hash.");
        return new HubModelId(name, revision);
    }

    /// <summary>Whether a text can be a model's name, with or without a revision.</summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return HubNames.ProblemOfModel(text.Split('@', 2)[0]) is null;
    }

    /// <summary>The name, and the revision where it is not main.</summary>
    public override string ToString() => Revision == MainRevision ? Name : $"{Name}@{Revision}";

    /// <summary>A text of others in a message: short, and without what a terminal would obey.</summary>
    internal static string Shown(string text)
    {
        string visible = string.Concat(text.Take(200).Select(c => char.IsControl(c) ? $"\\u{(int)c:X4}" : $"{c}"));
        return text.Length > 200 ? visible + "…" : visible;
    }
}
